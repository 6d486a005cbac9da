"""`python -m voxbus_tts_worker`"""

from voxbus_runtime.service import main
from voxbus_tts_worker.settings import Settings
from voxbus_tts_worker.wiring import wire

if __name__ == "__main__":
    main("tts-worker", Settings, wire)
