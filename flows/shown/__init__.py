"""What a person sees in Prefect: of a run, of a site, and when somebody has to be called."""
