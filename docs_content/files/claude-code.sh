export ANTHROPIC_BASE_URL=http://127.0.0.1:8000
export ANTHROPIC_AUTH_TOKEN=rl_live_...
export ANTHROPIC_MODEL=llama-3.1-8b
export ANTHROPIC_DEFAULT_HAIKU_MODEL=llama-3.1-8b
export CLAUDE_CODE_SUBAGENT_MODEL=llama-3.1-8b
export CLAUDE_CODE_MAX_CONTEXT_TOKENS=16384
export CLAUDE_CODE_ATTRIBUTION_HEADER=0

claude --tools "Bash,Read,Edit,Write" --system-prompt "You are a coding agent."
