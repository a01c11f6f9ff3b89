"""Held studies, for the people who decide about them: what is held and why, and trying it again."""
