"""Clients of other servers' interfaces caption a photo: clients.py ADDRESS PHOTO SENTENCE.

Without a sentence they are refused by a server whose queue has one permit.
"""

import base64
import sys
import urllib.request
import json
from concurrent.futures import ThreadPoolExecutor

import httpx
import ollama
import openai
from huggingface_hub import InferenceClient
from huggingface_hub.errors import HfHubHTTPError

address, path, sentence = (sys.argv[1:] + [None])[:3]
address = address.rstrip("/")
photo = open(path, "rb").read()
url = "data:image/png;base64," + base64.b64encode(photo).decode()
text = base64.b64encode(b"text").decode()
large = base64.b64encode(bytes(11 << 20)).decode()
KEY = "s3cret"


def refused(kind, status, call):
    """The error of a call that must fail."""
    try:
        call()
    except kind as error:
        found = getattr(error, "status_code", None) or error.response.status_code
        assert found == status, (found, status, error)
        return error
    raise AssertionError(f"{kind} is missing")


def messages(address):
    part = {"type": "image_url", "image_url": {"url": address, "detail": "low"}}
    return [{"role": "user", "content": [{"type": "text", "text": "What is this?"}, part]}]


def check_openai():
    client = openai.OpenAI(base_url=f"{address}/v1", api_key=KEY, max_retries=0)
    assert [model.id for model in client.models.list()]
    ask = lambda url, **more: client.chat.completions.create(model="any", messages=messages(url), max_tokens=50, **more)
    answer = ask(url)
    assert answer.choices[0].message.content == sentence, answer
    assert answer.choices[0].finish_reason == "stop" and answer.model == "any"
    parts = list(ask(url, stream=True, stream_options={"include_usage": True}))
    assert "".join(part.choices[0].delta.content or "" for part in parts[:-1]) == sentence, parts
    assert parts[-1].usage.total_tokens == 0
    error = refused(openai.BadRequestError, 400, lambda: ask("data:image/png;base64," + text))
    assert error.code == "not_an_image", error.body
    assert refused(openai.BadRequestError, 400, lambda: ask("http://example.org/a.jpg")).code == "remote_photo"
    refused(openai.APIStatusError, 413, lambda: ask("data:image/png;base64," + large))
    wrong = openai.OpenAI(base_url=f"{address}/v1", api_key="wrong", max_retries=0)
    refused(openai.AuthenticationError, 401, wrong.models.list)


def check_ollama():
    client = ollama.Client(host=address, headers={"Authorization": f"Bearer {KEY}"})
    assert client.list().models[0].model
    assert "vision" in client.show("any").capabilities
    assert client.generate("any").done_reason == "load"
    assert client.generate("any", "What is this?", images=[photo]).response == sentence
    parts = list(client.generate("any", "What is this?", images=[path], stream=True))
    assert "".join(part.response for part in parts) == sentence and parts[-1].done
    message = {"role": "user", "content": "What is this?", "images": [photo]}
    assert client.chat("any", [message]).message.content == sentence
    parts = list(client.chat("any", [message], stream=True))
    assert "".join(part.message.content for part in parts) == sentence and parts[-1].done
    error = refused(ollama.ResponseError, 400, lambda: client.generate("any", "x", images=[b"text"]))
    assert "not an image" in error.error, error.error
    refused(ollama.ResponseError, 413, lambda: client.generate("any", "x", images=[bytes(11 << 20)]))
    wrong = ollama.Client(host=address, headers={"Authorization": "Bearer wrong"})
    assert "API key" in refused(ollama.ResponseError, 401, wrong.list).error


def check_hugging_face():
    client = InferenceClient(model=f"{address}/hf/image-to-text", token=KEY)
    assert client.image_to_text(photo).generated_text == sentence
    refused(HfHubHTTPError, 400, lambda: client.image_to_text(b"text"))
    refused(HfHubHTTPError, 413, lambda: client.image_to_text(bytes(11 << 20)))
    wrong = InferenceClient(model=f"{address}/hf/image-to-text", token="wrong")
    refused(HfHubHTTPError, 401, lambda: wrong.image_to_text(photo))
    inputs = httpx.post(f"{address}/hf/image-to-text", json={"inputs": url}, headers={"Authorization": f"Bearer {KEY}"})
    assert inputs.json() == [{"generated_text": sentence}], inputs.text


def check_photoprism():
    body = json.dumps({"id": "3487da77", "model": "showtell", "images": [url]}).encode()
    head = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
    request = urllib.request.Request(f"{address}/api/v1/vision/caption", body, head)
    answer = json.load(urllib.request.urlopen(request))
    assert answer["id"] == "3487da77" and answer["code"] == 200, answer
    assert answer["result"]["caption"] == {"text": sentence, "source": "image"}, answer


def check_full_queue():
    part = ollama.Client(host=address)
    openai_client = openai.OpenAI(base_url=f"{address}/v1", api_key=KEY, max_retries=0)
    hugging_face = InferenceClient(model=f"{address}/hf/image-to-text")
    calls = {
        openai.RateLimitError: lambda: openai_client.chat.completions.create(model="any", messages=messages(url)),
        ollama.ResponseError: lambda: part.generate("any", "x", images=[photo]),
        HfHubHTTPError: lambda: hugging_face.image_to_text(photo),
    }
    for kind, call in calls.items():
        with ThreadPoolExecutor(16) as pool:
            errors = [answer.exception() for answer in [pool.submit(call) for _ in range(16)]]
        refusals = [error for error in errors if error]
        assert refusals and len(refusals) < 16, errors
        for error in refusals:
            status = getattr(error, "status_code", None) or error.response.status_code
            assert isinstance(error, kind) and status == 429, error
            assert "Try again in a second" in str(error) or "Try again in a second" in error.response.text, error


if sentence is None:
    check_full_queue()
else:
    check_openai()
    check_ollama()
    check_hugging_face()
    check_photoprism()
