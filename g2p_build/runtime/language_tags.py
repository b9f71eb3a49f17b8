"""Made by `python -m g2p_build.native.language_tags`: change that."""

__all__ = ["ALIASES", "TAGS", "TWO_LETTERS"]

# fmt: off
TWO_LETTERS = (
    "af afr am amh an arg ar ara az aze ba bak be bel bg bul bn ben bo bod br bre bs bos ca cat co cos cs ces "
    "cu chu cy cym da dan de deu dv div el ell en eng eo epo es spa et est eu eus fa fas fi fin fo fao fr fra "
    "fy fry ga gle gd gla gl glg gn grn gu guj ha hau he heb hi hin hr hrv hu hun hy hye ia ina id ind io ido "
    "is isl it ita ja jpn jv jav ka kat kk kaz km khm kn kan ko kor ku kur ky kir la lat lb ltz ln lin lo lao "
    "lt lit lv lav mg mlg mi mri mk mkd ml mal mn mon mr mar ms msa mt mlt my mya nb nob ne nep nl nld nn nno "
    "no nor oc oci or ori pa pan pl pol ps pus pt por qu que ro ron ru rus rw kin sa san sc srd sd snd se sme "
    "si sin sk slk sl slv so som sq sqi sr srp su sun sv swe sw swa ta tam te tel tg tgk th tha tk tuk tl tgl "
    "tr tur tt tat ug uig uk ukr ur urd uz uzb vi vie vo vol wa wln wo wol xh xho yi yid yo yor zh zho zu zul "
)
ALIASES = "cmn zh fil tl in id iw he ji yi "
TAGS = {
    "alb": "sq",
    "arm-e": "hy hy-arevela",
    "arm-w": "hyw hy-arevmda",
    "baq": "eu",
    "bur": "my",
    "chi": "zh",
    "cze": "cs",
    "dut": "nl",
    "eng-uk": "en-GB",
    "eng-us": "en-US",
    "fra": "fr",
    "fra-qu": "fr-CA",
    "fre": "fr",
    "geo": "ka",
    "ger": "de",
    "gre": "el",
    "hbs-cyrl": "sh-Cyrl sr-Cyrl sr",
    "hbs-latn": "sh-Latn sr-Latn sh hr",
    "ice": "is",
    "lat-clas": "la",
    "lat-eccl": "la",
    "mac": "mk",
    "mao": "mi",
    "may": "ms",
    "min": "nan",
    "nob": "nb no",
    "nor": "no nb",
    "per": "fa",
    "por-bz": "pt-BR",
    "por-po": "pt-PT",
    "rum": "ro",
    "slo": "sk",
    "spa": "es-ES",
    "spa-latin": "es-419 es-AR es-BO es-CL es-CO es-CR es-CU es-DO es-EC es-GT es-HN es-MX es-NI es-PA es-PE es-PR es-PY es-SV es-US es-UY es-VE",  # noqa: E501
    "spa-me": "es-MX",
    "tib": "bo",
    "vie-c": "vi",
    "vie-n": "vi",
    "vie-s": "vi",
    "wel-nw": "cy",
    "wel-sw": "cy",
    "zho-s": "zh-Hans zh-CN zh-SG",
    "zho-t": "zh-Hant zh-TW zh-HK zh-MO",
}
