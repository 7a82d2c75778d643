"""Parameters of speaking (user guide: inference page, GPT sampling parameters)."""

from __future__ import annotations

from sovdeck.engine.contract.catalogue import Text
from sovdeck.engine.contract.param import Param

# Upstream's API names: all_X reads everything as X, X alone reads Latin letters as English.
LANGUAGE_MODES = (
    "all_zh",
    "en",
    "all_ja",
    "all_yue",
    "all_ko",
    "zh",
    "ja",
    "yue",
    "ko",
    "auto",
    "auto_yue",
)
SLICE_METHODS = ("none", "4clauses", "50chars", "zh_period", "en_period", "punct")

TABLE: tuple[Param, ...] = (
    Param(
        "infer.gpt_weight",
        "path",
        "",
        Text("GPT weight", "GPT 模型"),
        Text(
            "Which trained GPT file to speak with; the list rescans the disk.",
            "选择用哪个 GPT 训练结果；列表会重新扫描磁盘。",
        ),
        recommended=Text("the audition's winner", "试听比较的胜者"),
        advice=Text(
            "Refresh the list, then try two or three epochs, for example 15 and 20.",
            "先刷新列表，再比较两三个轮次，比如第 15 轮和第 20 轮。",
        ),
    ),
    Param(
        "infer.sovits_weight",
        "path",
        "",
        Text("SoVITS weight", "SoVITS 模型"),
        Text(
            "Which trained SoVITS file to speak with; the list rescans the disk.",
            "选择用哪个 SoVITS 训练结果；列表会重新扫描磁盘。",
        ),
        recommended=Text("the audition's winner", "试听比较的胜者"),
        advice=Text(
            "The pair decides: timbre comes from SoVITS, rhythm from GPT.",
            "两者搭配决定效果：SoVITS 管音色，GPT 管节奏。",
        ),
    ),
    Param(
        "infer.ref_audio",
        "path",
        "",
        Text("Reference audio", "参考音频"),
        Text(
            "A short clip whose voice and manner the result imitates.",
            "一段短录音，结果会模仿其音色与语气。",
        ),
        recommended=Text(
            "4-8 s, clean, from the training set (3-10 s allowed)",
            "4–8 秒、干净、取自训练集（允许 3–10 秒）",
        ),
        advice=Text(
            "The quality of this clip decides the quality of the result.",
            "参考音频的质量直接决定合成语音的质量。",
        ),
    ),
    Param(
        "infer.aux_refs",
        "paths",
        (),
        Text("Extra references", "附加参考"),
        Text("Extra clips whose timbre is averaged in.", "额外录音，音色取平均。"),
        recommended=Text("none to three, the same voice", "0–3 段，同一人声"),
    ),
    Param(
        "infer.no_ref_text",
        "bool",
        False,
        Text("No reference text", "不用参考文本"),
        Text(
            "Ignore what the reference says; timbre still comes from the clip.",
            "忽略参考录音的文字；音色仍取自该录音。",
        ),
        recommended=Text("off", "关"),
        advice=Text(
            '"No reference mode": still needs the clip, and usually sounds less like the speaker. Keep top_k at 10 or more with it.',
            "“无参考模式”：仍需录音，效果通常较差。使用时 top_k 不要低于 10。",
        ),
    ),
    Param(
        "infer.ref_text",
        "text",
        "",
        Text("Reference text", "参考音频的文本"),
        Text("Exact words spoken in the reference clip.", "参考录音里说的原话。"),
        recommended=Text("the exact words", "逐字填写"),
        advice=Text(
            "Reference audio plus its exact text gives the best result.",
            "上传参考音频 + 填写对应文本 = 最佳效果。",
        ),
    ),
    Param(
        "infer.ref_lang",
        "choice",
        "zh",
        Text("Reference language", "参考音频的语言"),
        Text(
            "Language of the reference text; a narrower choice is read more reliably.",
            "参考文本的语言；范围选得越窄识别越准。",
        ),
        choices=LANGUAGE_MODES,
        recommended=Text("the narrowest true choice", "最窄的正确选择"),
    ),
    Param(
        "infer.text",
        "text",
        "",
        Text("Text to speak", "待合成文本"),
        Text("The words to speak.", "要说的内容。"),
    ),
    Param(
        "infer.text_lang",
        "choice",
        "zh",
        Text("Text language", "待合成文本的语言"),
        Text(
            "Language of the text; a narrower choice is read more reliably.",
            "文本语言；范围选得越窄识别越准。",
        ),
        choices=LANGUAGE_MODES,
        recommended=Text("the narrowest true choice", "最窄的正确选择"),
    ),
    Param(
        "infer.slice",
        "choice",
        "4clauses",
        Text("How to slice", "如何切分"),
        Text("Where long text is cut before synthesis.", "长文本在何处切开再合成。"),
        choices=SLICE_METHODS,
        recommended=Text("punct when words are dropped", "漏字时用 punct"),
        advice=Text(
            '"Slice once every 4 sentences" counts clauses, commas included. Short texts do not care.',
            "“凑四句一切”数的是分句，逗号也算。短文本影响不大。",
        ),
    ),
    Param(
        "infer.speed",
        "float",
        1.0,
        Text("Speech rate", "语速"),
        Text("Speaking rate; pitch is unchanged.", "语速；不改变音高。"),
        low=0.5,
        high=2.0,
        step=0.05,
        recommended=Text("0.8-1.3", "0.8–1.3"),
        advice=Text("Make one take at 1.0 first, then adjust.", "先用默认值 1 生成一次，再调整。"),
    ),
    Param(
        "infer.pitch",
        "float",
        0.0,
        Text("Tone", "音调"),
        Text(
            "Raise or lower the voice after speaking; speed and timbre stay. 0 leaves it alone.",
            "合成后升高或降低音调；语速与音色不变。0 为不调整。",
        ),
        low=-12.0,
        high=12.0,
        step=0.5,
        unit="semitones",
        recommended=Text("-3 to 3", "-3–3"),
        advice=Text(
            "A semitone is heard clearly; beyond 4 a voice sounds worked on.",
            "一个半音就能听出；超过 4 会有加工感。",
        ),
    ),
    Param(
        "infer.pause_s",
        "float",
        0.3,
        Text("Sentence pause", "句间停顿"),
        Text("Silence in seconds after each piece.", "每段之后的静音秒数。"),
        low=0.0,
        high=3.0,
        step=0.05,
        unit="s",
        recommended=Text("0.2-0.5", "0.2–0.5"),
        advice=Text(
            "0.1 is tight, 0.5-0.8 sounds like thinking.", "0.1 更紧凑，0.5–0.8 像在思考或喘气。"
        ),
    ),
    Param(
        "infer.rerender_last",
        "bool",
        False,
        Text("Re-render the last take", "重新渲染上一次"),
        Text(
            "Keep the last take's delivery and only change speed, tone or timbre.",
            "保留上一次的读法，只改语速、音调或音色。",
        ),
        recommended=Text("off", "关"),
        advice=Text(
            '"Adjust the speech rate and tone": use it after a take you like.',
            "“调整语速和音色”：对满意的一次再微调。",
        ),
    ),
    Param(
        "infer.early",
        "bool",
        False,
        Text("Early sound", "提前出声"),
        Text(
            "Begin to speak a sentence before it is decided to its end.",
            "一句话还没有全部决定就开始出声。",
        ),
        recommended=Text("off; on for live conversation", "关；实时对话时开"),
        advice=Text(
            "The first sound comes after about a second's tokens instead of the whole sentence's, and sounds a little different from the whole sentence. Needs speed 1; sentences are not checked by recognition.",
            "约一秒的 token 之后就有声音，不必等整句；但与整句合成略有不同。需要语速为 1；不做识别检查。",
        ),
    ),
    Param(
        "infer.top_k",
        "int",
        15,
        Text("top_k", "top_k"),
        Text("Sample only from the k likeliest next tokens.", "只在概率最高的 k 个候选中抽取。"),
        low=1,
        high=100,
        recommended=Text("10-20", "10–20"),
        advice=Text(
            "Small is steady and a little stiff, large is lively and riskier. It is applied together with top_p.",
            "小则稳定略呆板，大则多变易翻车。它与 top_p 同时生效。",
        ),
    ),
    Param(
        "infer.top_p",
        "float",
        1.0,
        Text("top_p", "top_p"),
        Text(
            "Also drop the unlikely tail beyond this total probability; applied together with top_k.",
            "再去掉累计概率之外的候选；与 top_k 同时生效。",
        ),
        low=0.05,
        high=1.0,
        step=0.05,
        recommended=Text("0.8-1.0", "0.8–1.0"),
        advice=Text(
            "1 switches it off. To try it, set top_k to 100 and top_p to about 0.8.",
            "1 相当于关闭。想用它时把 top_k 设为 100、top_p 约 0.8。",
        ),
    ),
    Param(
        "infer.temperature",
        "float",
        1.0,
        Text("Temperature", "温度"),
        Text("Lower is steadier, higher is more varied.", "越低越稳，越高变化越多。"),
        low=0.1,
        high=1.5,
        step=0.05,
        recommended=Text("0.8-1.0", "0.8–1.0"),
        advice=Text(
            "0.7-0.8 for a calm voice, 1.1 for a lively one; above 1 it may slip.",
            "平稳用 0.7–0.8，活泼用 1.1；高于 1 可能不自然。",
        ),
    ),
    Param(
        "infer.repetition_penalty",
        "float",
        1.35,
        Text("Repetition penalty", "重复惩罚"),
        Text("Discourages repeating recent sounds.", "抑制重复刚说过的声音。"),
        low=1.0,
        high=2.0,
        step=0.05,
        recommended=Text("1.35", "1.35"),
    ),
    Param(
        "infer.seed",
        "int",
        -1,
        Text("Seed", "随机种子"),
        Text(
            "Fix to get the same take again; -1 draws a new one.",
            "固定后可得到相同结果；-1 为随机。",
        ),
        low=-1,
        recommended=Text("fixed when comparing", "比较时固定"),
    ),
    Param(
        "infer.verify",
        "bool",
        True,
        Text("Check by recognition", "识别检查"),
        Text(
            "Check the result by recognition and try again if words are missing.",
            "用识别检查结果，漏字则重试。",
        ),
        recommended=Text("on where a recogniser is installed", "装有识别模型时开启"),
    ),
    Param(
        "infer.max_rerolls",
        "int",
        2,
        Text("Most retries", "最多重试"),
        Text(
            "How often a sentence with missing words is spoken again.", "漏字的句子最多重说几次。"
        ),
        low=0,
        high=5,
        recommended=Text("2", "2"),
    ),
)
