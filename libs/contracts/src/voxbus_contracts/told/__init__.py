"""What clients and customers' servers are told about a call, in the public API's shapes. Pure."""
