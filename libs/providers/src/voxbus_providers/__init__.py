"""What a recognizer, a language model and a voice are to Voxbus. Adapters know neither NATS nor each other."""
