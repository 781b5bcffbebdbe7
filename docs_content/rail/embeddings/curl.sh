curl http://127.0.0.1:8000/v1/embeddings \
  -H "Authorization: Bearer $LLMRACK_API_KEY" \
  -H "Content-Type: application/json" \
  -d '{
    "model": "nomic-embed",
    "input": ["the quick brown fox", "hello world"]
  }'
