"""Han characters of a Korean text as Koreans read them.

The Korean character set KS X 1001 holds its 4,888 hanja in the order of their readings, so the
place of a character in it (Python's `euc_kr`) and the first character of each reading are a table.
Initial ㄹ and ㄴ change as the spelling rules say (articles 10-12): 女子 is 여자, 樂園 낙원.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from functools import cache, lru_cache

from sovdeck.engine.text.han_variants import HAN, find_common_form
from sovdeck.engine.text.ko.jamo import Syllable, decompose, is_hangul

HANJA = re.compile(f"[{HAN}]")
# The first hanja of each reading in the order of KS X 1001, and the readings.
_FIRSTS = (
    "伽刻侃乫勘匣剛介喀坑醵倨乾乞儉劫偈擊堅抉兼京係古哭困汨供寡槨冠刮侊卦乖宏交丘國君堀宮倦厥"
    "机晷叫勻橘克僅今伋亘企緊佶喫儺暖捏南納囊乃女年念寗努濃惱尿嫩訥杻能尼匿多丹撻啖沓唐代德倒"
    "毒墩乭仝兜屯得嶝喇洛亂剌嵐拉廊來冷掠亮侶力憐冽廉獵令例勞碌論壟儡了龍壘劉六侖律隆勒凜凌俚"
    "吝林砬摩寞万唜亡埋脈孟冪免滅冥袂侮木歿夢卯務墨們勿味岷密剝伴勃倣倍伯幡伐凡法僻卞別丙保伏"
    "本乶俸付北分佛崩丕嚬憑乍削傘乷三揷上塞嗇牲墅夕仙卨剡攝城世召俗孫率宋刷衰修叔巡戌崇瑟濕丞"
    "侍埴伸失審什雙氏亞堊安斡唵壓仰厓厄櫻也弱佯圄億偃孼俺嶪円予亦嚥悅厭曄塋乂五屋溫兀壅渦婉曰"
    "往倭外僥慾俑于勖云蔚熊元月位乳堉允聿戎垠乙吟揖凝依二瀷人一任入仍仔作孱岑雜丈再爭佇勣佃切"
    "占接丁制俎族存卒倧佐罪主竹俊茁中卽櫛楫增之直唇侄斟執徵且捉撰刹僭倉債冊凄倜仟凸僉堞廳剃初"
    "促寸叢撮催墜丑春出充悴取側層侈則親七侵蟄秤快他倬呑奪探塔宕兌擇撑攄兎慟堆偸慝闖坡判八佩彭"
    "愎便貶坪吠佈幅俵品楓彼匹乏下壑寒割函合亢亥劾倖享噓憲歇險奕俔孑嫌俠亨兮乎惑婚忽哄化擴丸活"
    "凰匯劃宖哮侯勛薨喧卉彙休恤兇黑昕吃欠吸興僖詰"
)
_READINGS = (
    "가각간갈감갑강개객갱갹거건걸검겁게격견결겸경계고곡곤골공과곽관괄광괘괴굉교구국군굴궁권궐"
    "궤귀규균귤극근금급긍기긴길끽나난날남납낭내녀년념녕노농뇌뇨눈눌뉴능니닉다단달담답당대덕도"
    "독돈돌동두둔득등라락란랄람랍랑래랭략량려력련렬렴렵령례로록론롱뢰료룡루류륙륜률륭륵름릉리"
    "린림립마막만말망매맥맹멱면멸명몌모목몰몽묘무묵문물미민밀박반발방배백번벌범법벽변별병보복"
    "본볼봉부북분불붕비빈빙사삭산살삼삽상새색생서석선설섬섭성세소속손솔송쇄쇠수숙순술숭슬습승"
    "시식신실심십쌍씨아악안알암압앙애액앵야약양어억언얼엄업엔여역연열염엽영예오옥온올옹와완왈"
    "왕왜외요욕용우욱운울웅원월위유육윤율융은을음읍응의이익인일임입잉자작잔잠잡장재쟁저적전절"
    "점접정제조족존졸종좌죄주죽준줄중즉즐즙증지직진질짐집징차착찬찰참창채책처척천철첨첩청체초"
    "촉촌총촬최추축춘출충췌취측층치칙친칠침칩칭쾌타탁탄탈탐탑탕태택탱터토통퇴투특틈파판팔패팽"
    "퍅편폄평폐포폭표품풍피필핍하학한할함합항해핵행향허헌헐험혁현혈혐협형혜호혹혼홀홍화확환활"
    "황회획횡효후훈훙훤훼휘휴휼흉흑흔흘흠흡흥희힐"
)
# Characters whose usual reading is not the one KS X 1001 sorts them by.
_USUAL = {
    "金": "금",
    "宅": "택",
    "不": "불",
    "樂": "락",
    "串": "관",
    "諾": "락",
    "泌": "비",
    "寧": "녕",
    "廓": "곽",
    "率": "률",
}
# Words in which a character has another reading.
_WORDS = {
    "音樂": "음악",
    "樂器": "악기",
    "樂譜": "악보",
    "樂團": "악단",
    "國樂": "국악",
    "聲樂": "성악",
    "自轉車": "자전거",
    "人力車": "인력거",
    "六月": "유월",
    "十月": "시월",
    "五六月": "오뉴월",
    "初八日": "초파일",
    "敗北": "패배",
    "憎惡": "증오",
    "嫌惡": "혐오",
    "遊說": "유세",
    "率直": "솔직",
    "輕率": "경솔",
    "統率": "통솔",
    "引率": "인솔",
    "降伏": "항복",
    "投降": "투항",
    "更新": "갱신",
    "更生": "갱생",
    "貿易": "무역",
    "交易": "교역",
    "一切": "일체",
    "相殺": "상쇄",
    "便紙": "편지",
    "便利": "편리",
    "不便": "불편",
    "簡便": "간편",
    "方便": "방편",
    "便安": "편안",
    "男便": "남편",
    "復活": "부활",
    "復興": "부흥",
    "暴惡": "포악",
    "茶禮": "차례",
    "綠茶": "녹차",
    "紅茶": "홍차",
    "許諾": "허락",
    "受諾": "수락",
    "承諾": "승낙",
    "論難": "논란",
    "困難": "곤란",
    "喜怒": "희로",
    "大怒": "대로",
    "金氏": "김씨",
    "李氏": "이씨",
    "朴氏": "박씨",
    "崔氏": "최씨",
    "鄭氏": "정씨",
    "省略": "생략",
    "拾得": "습득",
    "龜裂": "균열",
    "謁見": "알현",
    "布施": "보시",
}
HANJA_WORD = re.compile("|".join(sorted(_WORDS, key=len, reverse=True)))
_FIRST_ROW, _CELLS, _FIRST_CELL = 0xCA, 94, 0xA1  # where hanja begin in EUC-KR
_IOTATED = frozenset("ㅑㅕㅖㅛㅠㅣ")


def read_word(match: re.Match[str]) -> str:
    """Return the reading of a word in which a character is read in an unusual way."""
    return _WORDS[match.group()]


def read_hanja(match: re.Match[str]) -> str:
    """Return the reading of one hanja between its neighbours; itself where it has none."""
    text, hanja = match.string, match.group()
    reading = _reading(hanja)
    if reading is None:
        return hanja
    before, after = text[max(0, match.start() - 1) : match.start()], text[match.end() :][:1]
    if hanja == "不" and _syllable(after).initial in ("ㄷ", "ㅈ"):
        reading = "부"
    inside = before and (is_hangul(before) or HANJA.match(before))
    if not inside:
        return _at_the_start(reading)
    if reading in ("렬", "률") and _syllable(before).final in ("", "ㄴ"):
        return {"렬": "열", "률": "율"}[reading]
    return reading


def _at_the_start(reading: str) -> str:
    syllable = decompose(reading)
    if syllable.initial in ("ㄴ", "ㄹ") and syllable.vowel in _IOTATED:
        return str(Syllable("ㅇ", syllable.vowel, syllable.final))
    if syllable.initial == "ㄹ":
        return str(Syllable("ㄴ", syllable.vowel, syllable.final))
    return reading


def _syllable(letter: str) -> Syllable:
    """Return the syllable of a letter of hangul or of a hanja; an empty one for anything else."""
    reading = letter if letter and is_hangul(letter) else _reading(letter) if letter else None
    return decompose(reading) if reading else Syllable("", "", "")


@lru_cache(maxsize=8192)
def _reading(hanja: str) -> str | None:
    if hanja in _USUAL:
        return _USUAL[hanja]
    form = find_common_form(hanja, _is_listed) if not _is_listed(hanja) else hanja
    at = _place(form)
    return None if at is None else _READINGS[bisect_right(_starts(), at) - 1]


def _is_listed(hanja: str) -> bool:
    return _place(hanja) is not None


def _place(hanja: str) -> int | None:
    """Return the number of a hanja in KS X 1001; None for any other character."""
    try:
        code = hanja.encode("euc_kr")
    except UnicodeEncodeError:
        return None
    if len(code) != 2 or code[0] < _FIRST_ROW:
        return None
    return (code[0] - _FIRST_ROW) * _CELLS + code[1] - _FIRST_CELL


@cache
def _starts() -> list[int]:
    return [at for at in map(_place, _FIRSTS) if at is not None]
