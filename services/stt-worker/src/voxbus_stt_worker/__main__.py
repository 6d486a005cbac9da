"""`python -m voxbus_stt_worker`"""

from voxbus_runtime.service import main
from voxbus_stt_worker.settings import Settings
from voxbus_stt_worker.wiring import wire

if __name__ == "__main__":
    main("stt-worker", Settings, wire)
