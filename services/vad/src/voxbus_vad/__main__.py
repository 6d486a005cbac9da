"""`python -m voxbus_vad`"""

from voxbus_runtime.service import main
from voxbus_vad.settings import Settings
from voxbus_vad.wiring import wire

if __name__ == "__main__":
    main("vad", Settings, wire)
