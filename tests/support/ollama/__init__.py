"""The parts of the scripted Ollama; `tests.support.fake_ollama` is what tests import and what one starts by hand."""
