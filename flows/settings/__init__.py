"""The sites file: hospitals, cloud and project as a person writes them, checked before anything begins."""
