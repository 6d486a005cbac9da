"""Questions about many calls at once: `POST /analytics`. Pure."""
