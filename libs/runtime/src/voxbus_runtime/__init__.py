"""What every service process has: settings, logs, telemetry, the bus, ownership of calls, control, drain."""
