"""How a run is shown: tables, figures and one HTML page. No experiment is named here.

Importing this package imports nothing heavy; its modules that need pandas, Matplotlib or Jinja import them.
"""
