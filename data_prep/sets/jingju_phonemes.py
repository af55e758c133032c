r"""Jingju a cappella: 65 recordings of two role types of Beijing opera, every phoneme annotated.

42 recordings of *dan* (young women) and 23 of *laosheng* (old men), 44,100 Hz, mono or stereo, by
professionals and amateurs. The audio is the collection's part 1 (Zenodo record 1323561, which goes
on from 344932, the one that the paper's code names), the annotations are the TextGrids of the
repository MTG/jingjuPhonemeAnnotation. Audio and TextGrid of a recording are found by its name,
wherever they lie below the folder.

Read as ronggong/EUSIPCO2017 reads it: the tier `details` holds the phonemes, in X-SAMPA, and those
count that lie in a syllable of the tier `dian` that has a text; one without a text is silence in a
syllable. Which phonemes are one class, and the classes' order, is in `general/phonemeMap.py` of the
authors' jingjuSingingPhraseMatching: the file of that name of EUSIPCO2017 is not to be had, but its
folder `gmmModels/danAll` names the same 29 classes.

A track is a recording; its *label* are the classes that occur in it, as tags. The column
`phonemes` holds the annotation, ``start stop class`` in seconds, phonemes separated by ``;``.

Splits are lists of names in `trainTestSeparation.py`. Those of `getRecordingNames` are `dan` and
`laosheng`: the test script tests on them. Those of `getRecordingNamesSimi` are `dan-scores` and
`laosheng-scores` (tested are arias of a collection of scores): the feature script trains on them.
Each of the four keeps its own parts apart; training by one and testing by another does not: 11 of
14 and 4 of 7 tested recordings are then trained on.

Not verified: neither audio nor TextGrids could be looked at. Their form is what the authors' parser
(`textgridParser.py`) and mirdata's loader of the same record read; the audio's sum is mirdata's.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from data_prep.declare import Archive, DataError, DataSet
from data_prep.fetch.lists import add_split
from data_prep.fetch.textgrid import Interval, read_tiers
from data_prep.index import TAG_SEPARATOR, make_index
from mirkeras.audio.formats import audio_extensions
from mirkeras.storage.files import files_below

PHONEMES = (
    "sil", "?", "an", "in", "aI^", "SN", "@n", "eI^", "ONE", "S", "iNiN", "@", "E", "MM", "O", "N",
    "oU^", "ANAN", "AU^", "a", "EnEn", "i", "UN", "u", "y", "j", "rr", "vc", "nvc",
)  # fmt: skip

#: X-SAMPA → class, where it is not the class's own name: other names, and rare ones merged.
_CLASSES = {
    **{"": "sil", "7N": "SN", "1": "ONE", "7": "S", "iN": "iNiN", "M": "MM", "AN": "ANAN"},
    **{"En": "EnEn", "r\\'": "rr", "yn": "in", "9": "S", "H": "y", "w": "u", "U^": "u"},
    **dict.fromkeys("mln", "vc"),
    **dict.fromkeys("cfksx", "nvc"),
}
_OWN_NAMES = {*PHONEMES} - {*_CLASSES.values()} | {"in", "y", "u"}
CLASS_OF = _CLASSES | {name: name for name in _OWN_NAMES}

SYLLABLES, DETAILS = "dian", "details"  # tiers

#: Role, its part in `getRecordingNames`, that in `getRecordingNamesSimi` → names of recordings.
RECORDINGS = {
    ("dan", "train", "train"): """
        daeh-Yang_Yu_huan-Tai_zhen_wai_zhuan-lon daeh-Yi_sha_shi-Suo_lin_nang-qm
        dagbz-Feng_xiao_xiao-Yang_men_nv_jiang-lon danbz-Kan_dai_wang-Ba_wang_bie_ji03-qm
        danbz-Qing_chen_qi-Shi_yu_zhuo-qm daspd-Du_shou_kong-Wang_jiang_ting-upf
        daxp-Chun_qiu_ting-Suo_lin_nang03-qm daxp-Jiao_Zhang_sheng-Hong_niang05-qm
        daxp-Meng_ting_de-Mu_Gui_ying_gua_shuai02-qm daxp-Meng_ting_de-Mu_Gui_ying_gua_shuai06-qm
        shiwenhui_tingxiongyan xixiangji_biyuntian xixiangji_manmufeng xixiangji_xianzhishuo
        xixiangji_zhenmeijiu yutangchun_yutangchun zhuangyuanmei_daocishi zhuangyuanmei_fudingkui
        zhuangyuanmei_zhenzhushan""",
    ("dan", "train", "test"): """
        danbz-Bei_jiu_chan-Chun_gui_men01-qm danbz-Kan_dai_wang-Ba_wang_bie_ji01-qm
        daxp-Chun_qiu_ting-Suo_lin_nang01-qm daxp-Guan_Shi_yin-Tian_nv_san_hua-lon
        daxp-Jiao_Zhang_sheng-Hong_niang01-qm daxp-Meng_ting_de-Mu_Gui_ying_gua_shuai01-upf
        daxp-Zhe_cai_shi-Suo_lin_nang01-qm wangjiangting_dushoukong wangjiangting_zhijianta""",
    ("dan", "test", "train"): """
        daeh-Bie_yuan_zhong-Mei_fei-qm daeh-You_He_hou-He_hou_ma_dian-qm
        dafeh-Bi_yun_tian-Xi_xiang_ji01-qm dafeh-Mo_lai_you-Liu_yue_xue-qm
        danbz-Bei_jiu_chan-Chun_gui_men03-qm daspd-Hai_dao_bing-Gui_fei_zui_jiu01-lon
        daxp-Jiao_Zhang_sheng-Hong_niang04-qm daxp-Meng_ting_de-Mu_Gui_ying_gua_shuai04-qm
        xixiangji_diyilai xixiangji_luanchouduo zhuangyuanmei_tianbofu""",
    ("dan", "test", "test"): """
        daspd-Hai_dao_bing-Gui_fei_zui_jiu02-qm daxp-Xi_ri_li-Gan_lu_si-qm zhuangyuanmei_zinari""",
    ("laosheng", "train", "train"): """
        lseh-Tan_Yang_jia-Hong_yang_dong-qm lsfxp-Yang_si_lang-Si_lang_tan_mu-lon
        lsxp-Huai_nan_wang-Huai_he_ying01-lon lsxp-Qian_bai_wan-Si_lang_tang_mu01-qm
        lsxp-Quan_qian_sui-Gan_lu_si-qm lsxp-Shi_ye_shuo-Ding_jun_shan-qm
        lsxp-Wo_zheng_zai-Kong_cheng_ji01-upf lsxp-Wo_zheng_zai-Kong_cheng_ji04-qm
        lsxp-Xi_ri_you-Zhu_lian_zhai-qm""",
    ("laosheng", "train", "test"): """
        lseh-Wei_guo_jia-Hong_yang_dong01-lon lseh-Wei_guo_jia-Hong_yang_dong02-qm
        lseh-Yi_lun_ming-Wen_zhao_guan-qm lseh-Zi_na_ri-Hong_yang_dong-qm
        lsxp-Jiang_shen_er-San_jia_dian02-qm lsxp-Shen_gong_wu-Gan_lu_si-qm
        lsxp-Wo_ben_shi-Kong_cheng_ji-qm""",
    ("laosheng", "test", "train"): """
        lseh-Wo_ben_shi-Qiong_lin_yan-qm lsxp-Guo_liao_yi-Wen_zhao_guan-qm
        lsxp-Guo_liao_yi-Wen_zhao_guan-upf lsxp-Wo_zheng_zai-Kong_cheng_ji02-qm""",
    ("laosheng", "test", "test"): """
        lsxp-Huai_nan_wang-Huai_he_ying02-qm lsxp-Jiang_shen_er-San_jia_dian01-1-upf
        lsxp-Jiang_shen_er-San_jia_dian01-2-upf""",
}  # fmt: skip
NAMES = frozenset(name for names in RECORDINGS.values() for name in names.split())

SCORES = "-scores"  # ends the name of a role's second split
SPLITS = {
    "dan": {"train": 28, "test": 14},
    "laosheng": {"train": 16, "test": 7},
    f"dan{SCORES}": {"train": 30, "test": 12},
    f"laosheng{SCORES}": {"train": 13, "test": 10},
}

_COMMIT = "991a30bb7b466dba82a0a101d364aaa2d75a7be3"


def index(root: Path) -> pd.DataFrame:
    """List the recordings of the lists whose audio is below `root`; ids are their names.

    Raises
    ------
    data_prep.DataError
        A TextGrid is missing or damaged, or two files stand for one recording.
    """
    audio = _files(root, audio_extensions())
    grids = _files(root, {".textgrid"})
    sung = {file.stem: read_phonemes(_grid(root, file, grids)) for file in audio}
    found = make_index(((f.stem, f, _tags(sung[f.stem]), float("nan")) for f in audio), root)
    found = found.assign(phonemes=[_annotation(sung[track]) for track in found["track"]])
    for split, parts in _lists().items():
        found = add_split(found, split, parts)
    return found


def _files(root: Path, endings: set[str]) -> list[Path]:
    known = (file for file in files_below(root) if file.stem in NAMES)
    return [file for file in known if file.suffix.lower() in endings]


def _grid(root: Path, audio: Path, grids: list[Path]) -> Path:
    same = [grid for grid in grids if grid.stem == audio.stem]
    if len(same) != 1:
        raise DataError(
            f"{root} has the recording {audio.relative_to(root)} and {len(same)} files "
            f"{audio.stem}.TextGrid, where one is needed, anywhere below that folder."
        )
    return same[0]


def read_phonemes(path: Path) -> list[Interval]:
    """Read the phonemes of a TextGrid that lie in a syllable; their texts are the classes.

    Raises
    ------
    data_prep.DataError
        A tier is missing, or a phoneme is none of those known; the message names file and line.
    """
    # the authors' parser takes no notice of dots in names
    tiers = {name.replace(".", ""): tier for name, tier in read_tiers(path).items()}
    for tier in (SYLLABLES, DETAILS):
        if not tiers.get(tier):
            raise DataError(f"{path} has no tier {tier!r}, or nothing in it.")
    syllables = [syllable for syllable in tiers[SYLLABLES] if syllable.text]
    ends = np.array([syllable.stop for syllable in syllables])
    sung = []
    for phoneme in tiers[DETAILS]:
        middle = (phoneme.start + phoneme.stop) / 2
        place = int(np.searchsorted(ends, middle))
        if place == len(syllables) or middle < syllables[place].start:
            continue
        if phoneme.text not in CLASS_OF:
            raise DataError(
                f"{path}, line {phoneme.line}: unknown phoneme {phoneme.text!r}; known: "
                f"{' '.join(sorted(CLASS_OF))}"
            )
        sung.append(phoneme._replace(text=CLASS_OF[phoneme.text]))
    return sung


def _tags(sung: list[Interval]) -> str:
    occurring = {phoneme.text for phoneme in sung}
    return TAG_SEPARATOR.join(name for name in PHONEMES if name in occurring)


def _annotation(sung: list[Interval]) -> str:
    return ";".join(f"{phoneme.start!r} {phoneme.stop!r} {phoneme.text}" for phoneme in sung)


def _lists() -> dict[str, dict[str, list[str]]]:
    """Split → part → names."""
    lists: dict[str, dict[str, list[str]]] = {
        split: {part: [] for part in parts} for split, parts in SPLITS.items()
    }
    for (role, part, second), names in RECORDINGS.items():
        lists[role][part] += names.split()
        lists[f"{role}{SCORES}"][second] += names.split()
    return lists


DATASET = DataSet(
    name="jingju_phonemes",
    description="65 a cappella recordings of Beijing opera (42 dan, 23 laosheng), 44,100 Hz, with "
    "every phoneme annotated in time, in 29 classes.",
    citation="""\
@misc{gong2018jingju,
  author = {Gong, Rong and Caro Repetto, Rafael and Yang, Yile and Serra, Xavier},
  title = {Jingju a cappella singing dataset part1},
  year = {2018},
  publisher = {Zenodo},
  doi = {10.5281/zenodo.1323561}
}
@inproceedings{black2014automatic,
  author = {Black, Dawn A. A. and Li, Ma and Tian, Mi},
  title = {Automatic Identification of Emotional Cues in {Chinese} Opera Singing},
  booktitle = {13th International Conference on Music Perception and Cognition},
  pages = {250--255},
  year = {2014}
}""",
    licence="Annotations: CC BY-NC-SA 4.0. Audio: CC BY-NC-ND 4.0 (names in -upf and -lon), as of "
    "the Singing Voice Dataset of Queen Mary University of London (names in -qm).",
    archives=(
        Archive(
            filename="wav.zip",
            urls=("https://zenodo.org/record/1323561/files/wav.zip",),
            checksum="md5:4722abda831c20b169a62b2754b15bea",
            size=None,
            max_unpacked=16 * 2**30,
        ),
        Archive(
            filename=f"{_COMMIT}.zip",
            urls=(f"https://github.com/MTG/jingjuPhonemeAnnotation/archive/{_COMMIT}.zip",),
            # made by the host, so no sum of it can last
            checksum=None,
            size=None,
            max_unpacked=2**29,
        ),
    ),
    layout="""\
jingju_phonemes/
    wav/danAll/ wav/laosheng/    the recordings, named as in the lists (any folders will do)
    dan/ laosheng/               a TextGrid of the same name for each (any folders will do)""",
    index=index,
    tags=PHONEMES,
    tracks=len(NAMES),
    splits=SPLITS,
)
