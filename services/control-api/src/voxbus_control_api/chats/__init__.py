"""Chats and sessions: conversations by text, put together and kept here, answered by llm-orchestrator."""
