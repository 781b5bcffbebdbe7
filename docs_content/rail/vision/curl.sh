# A small green square, as a data URI.
IMAGE="data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAABAAAAAQCAIAAACQkWg2AAAAFklEQVR42mPgyY4nCTGMahjVMHw1AABzOdYBYAJyRQAAAABJRU5ErkJggg=="

curl http://127.0.0.1:8000/v1/chat/completions \
  -H "Authorization: Bearer $LLMRACK_API_KEY" \
  -H "Content-Type: application/json" \
  -d '{
    "model": "llava-7b",
    "messages": [{
      "role": "user",
      "content": [
        {"type": "text", "text": "What colour is this?"},
        {"type": "image_url", "image_url": {"url": "'"$IMAGE"'"}}
      ]
    }]
  }'
