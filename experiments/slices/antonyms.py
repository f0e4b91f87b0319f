"""Pairs of Korean antonyms, by the letters with which their forms begin."""

from __future__ import annotations

_PAIRS = """
켜 켰 / 끄 꺼 껐 끕 끈 끌
열 / 닫
크 큰 커 컸 큽 / 작
많 / 적은 적어 적었 적다 적습
높 / 낮
넓 / 좁
길 긴 깁 / 짧
밝 / 어둡 어두 컴컴
빠르 빨라 빨랐 빠른 빨리 / 느리 느려 느렸 느린 늦
덥 더워 더웠 더운 / 춥 추워 추웠 추운
뜨겁 뜨거 / 차갑 차가
좋 / 나쁘 나빠 나빴 나쁜 싫
싸 쌌 싼 저렴 / 비싸 비쌌 비싼
쉽 쉬운 쉬웠 쉬워 / 어렵 어려
무겁 무거 / 가볍 가벼
강하 강한 강했 강해 세게 / 약하 약한 약했 약해 약하게
새롭 새로 / 낡 오래된
깨끗 / 더럽 더러 지저분
조용 / 시끄럽 시끄러
늘 늘어 늘리 늘렸 증가 / 줄 줄어 줄이 줄였 감소
올리 올려 올렸 오르 올라 올랐 상승 인상 / 내리 내려 내렸 하락 인하
가까 / 멀 먼 멀리
친절 / 불친절
편하 편한 편했 편리 / 불편
가능 / 불가능
찬성 / 반대
성공 / 실패
시작 / 끝 종료 마치 마쳤
사 샀 구매 구입 / 팔 판매
입학 / 졸업
입장 / 퇴장
출발 / 도착
승리 이기 이겼 이긴 / 패배 지는 졌
찾 / 잃
만족 / 불만
안전 / 위험
오전 아침 / 오후 저녁
여름 / 겨울
남자 남성 / 여자 여성
위 위쪽 / 아래 아래쪽 밑
왼 / 오른
안쪽 실내 / 바깥 밖 실외 야외
앞 / 뒤
최대 최고 / 최소 최저
허용 허가 / 금지
합격 / 불합격
장점 / 단점
추천 / 비추
"""

ANTONYMS = tuple(
    tuple(tuple(side.split()) for side in line.split(" / ")) for line in _PAIRS.split("\n") if line
)
"""Both sides of every pair, each with the beginnings of its forms."""
