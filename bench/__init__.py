"""Measures LLMRack beside nginx, a bare byte relay, and no gateway at all. `script/bench` runs it."""
