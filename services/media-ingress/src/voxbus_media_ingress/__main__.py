"""`python -m voxbus_media_ingress`"""

from voxbus_media_ingress.settings import Settings
from voxbus_media_ingress.wiring import wire
from voxbus_runtime.service import main

if __name__ == "__main__":
    main("media-ingress", Settings, wire)
