"""Words that rules exchange: antonyms, times, places, people, synonyms.

No pair of these words is a contrast of the probe (`kosim probe`), so that the probe measures what
was learnt on words that it did not see. This is why such common antonyms as 열다 and 닫다 lack.
"""

from __future__ import annotations

from collections.abc import Iterable


def listed(words: str) -> frozenset[str]:
    """Return the words of a text."""
    return frozenset(words.split())


def _pairs(tag: str, written: str) -> dict[str, str]:
    """Return form/tag by form/tag, either way."""
    found = {}
    for entry in written.split():
        one, other = (f"{form}/{tag}" for form in entry.split("-"))
        found[one], found[other] = other, one
    return found


_OF_ADJECTIVES = (
    "유쾌-불쾌 충분-불충분 필요-불필요 정확-부정확 깨끗-지저분 조용-소란 복잡-간단 튼튼-허술 "
    "선명-흐릿 풍부-빈약 겸손-거만 용감-비겁 딱딱-말랑말랑 촉촉-퍽퍽 능숙-미숙 "
    "신중-경솔 진지-경박 상냥-퉁명 느긋-조급 순진-교활 따뜻-싸늘 뻣뻣-유연 뚜렷-희미 "
    "편리-불편 유리-불리 공평-불공평 완전-불완전 투명-불투명 순수-불순 청결-불결 순탄-험난 "
    "명확-불명확 대담-소심 적합-부적합 적절-부적절 성숙-미성숙 유능-무능 온순-난폭 관대-엄격 "
    "비범-평범 부유-가난 풍족-궁핍 참신-진부 섬세-투박 침착-성급 후련-찜찜 차분-산만 "
    "활발-침울 간결-장황 건강-허약 친숙-생소 성실-나태 공정-불공정"
)

ADJECTIVES = frozenset(root for pair in _OF_ADJECTIVES.split() for root in pair.split("-"))
"""Roots of adjectives, whose antonyms are none of the noun: 필요하다, but not 필요."""

ANTONYMS = {
    **_pairs(
        "VA",
        "좋-나쁘 크-작 높-낮 길-짧 빠르-느리 덥-춥 뜨겁-차갑 쉽-어렵 무겁-가볍 강하-약하 "
        "두껍-얇 가깝-멀 깊-얕 부드럽-거칠 재미있-재미없 맛있-맛없 편하-불편하 즐겁-괴롭 "
        "굵-가늘 뚱뚱하-날씬하 짙-옅 똑똑하-멍청하",
    ),
    **_pairs(
        "VV",
        "켜-끄 높이-낮추 입-벗 채우-비우 웃-울 배우-가르치 깨우-재우 사-팔 "
        "밀-당기 앞당기-늦추 살리-죽이 켜지-꺼지 나타나-사라지 숨기-드러내 얻-잃 모이-흩어지 "
        "녹-얼 채워지-비워지",
    ),
    **_pairs(
        "NNG",
        "성공-실패 출발-도착 합격-불합격 구매-판매 장점-단점 왼쪽-오른쪽 "
        "승리-패배 허용-금지 안전-위험 만족-불만족 가능-불가능 실내-실외 입구-출구 "
        "국내-해외 수입-수출 최대-최소 상반기-하반기 입금-출금 가입-탈퇴 "
        "승인-거절 행복-불행 칭찬-비난 "
        "남쪽-북쪽 동쪽-서쪽 선배-후배 신입-경력 온수-냉수 확대-축소 강화-약화 "
        "입학-졸업 입사-퇴사 결혼-이혼 당선-낙선 흑자-적자 호황-불황 "
        "추가-삭제 설치-제거 시작-종료 유죄-무죄 합법-불법 희망-절망 개업-폐업 취임-퇴임 "
        "완성-미완성 "
        "상승-하락 개선-악화 긍정-부정 강점-약점 이익-손해 이득-손실 공격-수비 "
        "전진-후퇴 상류-하류 초반-후반 전반전-후반전 앞면-뒷면 앞쪽-뒤쪽 위쪽-아래쪽 안쪽-바깥쪽 "
        "내부-외부 상단-하단 남성-여성 신랑-신부 다수-소수 정답-오답 천국-지옥 "
        "선진국-후진국 강자-약자 승자-패자 가해자-피해자 원고-피고 공급-수요 매수-매도 "
        "유료-무료 정상-비정상 공식-비공식 입국-출국 입원-퇴원 등교-하교 개막-폐막 "
        "착륙-이륙 승차-하차 낭비-절약 소비-생산 기쁨-슬픔 호평-혹평 호감-반감 완화-심화 팽창-수축 "
        "행운-불운 생존-사망 창업-폐업 석방-구속 채용-해고 여당-야당 진보-보수 "
        "상사-부하 대기업-중소기업 정규직-비정규직 왕복-편도 동양-서양 남한-북한 진실-거짓 "
        "낙관-비관 능동-수동 적극-소극 선불-후불 자신감-열등감 존경-경멸 전성기-침체기 "
        "오르막길-내리막길 지상-지하 공립-사립 입학식-졸업식 개회식-폐회식 입장-퇴장 초보자-숙련자",
    ),
    **_pairs("NNG", _OF_ADJECTIVES),  # Kiwi tags some roots of adjectives as nouns
    **_pairs("XR", _OF_ADJECTIVES),
    **_pairs("MAG", "빨리-천천히 일찍-늦게 자주-가끔 먼저-나중에"),
}
"""The antonym of each word, form/tag by form/tag."""

QUANTITIES = {
    "항상/MAG": "가끔/MAG",
    "언제나/MAG": "가끔/MAG",
    "늘/MAG": "가끔/MAG",
    "모든/MM": "몇몇/MM",
    "많이/MAG": "조금/MAG",
    "완전히/MAG": "절반쯤/MAG",
    "매번/MAG": "가끔/MAG",
    "완벽히/MAG": "대충/MAG",
}
"""A word of another quantity in place of each."""

TIMES = (
    ("오전", "오후"),
    ("어제", "그저께"),
    ("내일", "모레"),
    ("작년", "재작년"),
    ("지난해", "지지난해"),
    ("월요일", "화요일", "목요일", "토요일"),
    ("수요일", "금요일"),
    ("봄", "여름"),
    ("가을", "겨울"),
    ("아침", "저녁"),
    ("개학", "방학"),
)
"""Words for times; one stands in place of another of its group."""

COUNTRIES = "한국", "일본", "미국", "중국", "영국", "프랑스", "독일", "러시아", "브라질", "이탈리아"

NAMES = (
    ("서울", "부산", "대구", "인천", "광주", "대전", "울산", "제주", "강릉", "춘천", "전주"),
    ("도쿄", "오사카", "파리", "런던", "로마", "뉴욕", "베를린", "바르셀로나", "피렌체", "방콕"),
    COUNTRIES,
    ("거실", "안방", "부엌", "화장실", "침실", "베란다", "현관", "서재", "차고", "옥상"),
    ("에어컨", "선풍기", "가습기", "보일러", "세탁기", "청소기", "냉장고", "텔레비전", "전기장판"),
    ("학교", "병원", "은행", "도서관", "공항", "백화점", "공원", "식당", "우체국"),
    ("메일", "문자"),
    ("첼로", "피아노", "바이올린", "드럼"),
    ("버스", "기차", "택시", "비행기", "지하철"),
    ("자전거", "오토바이", "킥보드"),
    ("빨간색", "파란색", "노란색", "초록색", "보라색"),
    ("복숭아", "바나나", "포도", "딸기", "수박"),
    ("커피", "우유", "주스", "맥주"),
)
"""Things of one sort; one stands in place of another of its group."""

PEOPLE = listed(
    "남자 여자 소년 소녀 아이 아기 경찰 감독 배우 주인공 선생님 학생 엄마 아빠 형 누나 동생 오빠 "
    "언니 친구 호스트 사장 직원 고객 의사 환자 남편 아내 기자 선수 대통령 변호사 검사 교수 군인 "
    "간호사 아버지 어머니 제자 스승 신랑 신부 공주 왕자 "
    "괴물 악당 영웅 귀신 악마 천사 호랑이 사자 늑대 여우 쥐 곰 "
    "정부 국회 회사 노조 구단 관객 시청자 작가 주민 시민 국민 손님 "
    "팀장 사장님 부장 과장 아저씨 아주머니 후배 선배 형사 범인 왕 왕비 딸 아들 부모 가수"
)
"""Persons, animals and bodies, which can do something to each other; so can countries."""

SYNONYMS = {
    **_pairs(
        "MAG",
        "몹시-무척 매우-아주 정말-진짜 항상-언제나 빨리-얼른 조금-약간 가끔-때때로 함께-같이 "
        "일단-우선 어서-얼른 더욱-한층",
    ),
    **_pairs(
        "NNG",
        "이유-까닭 가격-값 식당-음식점 가게-상점 구입-구매 요즘-최근 현재-지금 부근-근처 "
        "걱정-염려 텔레비전-티브이 "
        "어린이-아이 교사-선생 의사소통-소통 승용차-자동차 해결책-해법",
    ),
    **_pairs("VA", "어렵-힘들 아름답-예쁘 부족하-모자라 훌륭하-뛰어나 재미있-재밌"),
}
"""A word of the same meaning for each, form/tag by form/tag."""


def group_of(word: str, groups: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    """Return the other words of the group that a word is in; nothing where it is in none."""
    return next((tuple(one for one in each if one != word) for each in groups if word in each), ())
