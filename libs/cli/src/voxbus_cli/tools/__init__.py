"""`voxbus tools`: ready-made tools for Salesforce, HubSpot, Google Calendar, Calendly, an orders database."""
