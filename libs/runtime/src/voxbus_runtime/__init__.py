"""What every service process has: settings, logs, telemetry, the bus, ownership of calls, control, drain."""

import os

os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
# We start children with exec, never with a bare fork; else gRPC says at each start that it skips its handlers.
