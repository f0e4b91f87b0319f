"""Answer questions over HTTP from a list of known questions.

Start a service first: ``kosim serve --encoder mini-bi --reranker mini-cross``
"""

import json
import sys
import urllib.request

FAQ = {
    "체크인은 몇 시부터 할 수 있나요?": "오후 3시부터 가능합니다.",
    "주차할 곳이 있나요?": "건물 지하에 무료로 주차하실 수 있습니다.",
    "예약을 취소하고 싶어요": "이용 3일 전까지 전액 환불해 드립니다.",
}
UNKNOWN = "담당자에게 연결해 드리겠습니다."


def answer(question: str, server: str = "http://127.0.0.1:8000") -> str:
    """Return the answer to the known question that is most similar, if any is similar enough."""
    body = {"query": question, "documents": list(FAQ), "top_n": 1, "min_score": 0.5}
    request = urllib.request.Request(
        f"{server}/v1/rerank",
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as response:
        results = json.load(response)["results"]
    return list(FAQ.values())[results[0]["index"]] if results else UNKNOWN


if __name__ == "__main__":
    print(answer(" ".join(sys.argv[1:]) or "예약 취소할게요"))
