"""What a run shows: tables, figures and one HTML page. Knows no experiment by name.

Importing this package imports nothing heavy; its modules that need pandas, Matplotlib or Jinja import them.
"""
