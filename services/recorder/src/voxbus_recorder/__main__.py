"""`python -m voxbus_recorder`"""

from voxbus_recorder.settings import Settings
from voxbus_recorder.wiring import wire
from voxbus_runtime.service import main

if __name__ == "__main__":
    main("recorder", Settings, wire)
