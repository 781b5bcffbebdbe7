"""Several Ollamas behind one fair queue. A request leaves for an Ollama only when a slot of its model is free there."""
