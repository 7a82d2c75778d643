"""Parameters of a run: its two stages and its pack (user guide: SoVITS Training, GPT Training)."""

from __future__ import annotations

from sovdeck.engine.contract.catalogue import Text
from sovdeck.engine.contract.param import Param

KEEP_RESUME_CHOICES = ("latest", "all")

TEXT_READINGS = ("spoken", "upstream")

TABLE: tuple[Param, ...] = (
    Param(
        "text.reading",
        "choice",
        "spoken",
        Text("Reading of transcripts", "文本读法"),
        Text(
            "Whether transcripts are read as a text to be spoken is, or as GPT-SoVITS reads them.",
            "训练文本按合成时的读法读，还是按 GPT-SoVITS 自己的读法读。",
        ),
        choices=TEXT_READINGS,
        recommended=Text("spoken", "spoken"),
        advice=Text(
            "spoken reads what GPT-SoVITS drops: units, signs, rare characters. Take upstream only to train exactly as it does.",
            "spoken 会读出 GPT-SoVITS 略过的单位、符号和生僻字。只有想与其训练完全一致时才用 upstream。",
        ),
    ),
    Param(
        "sovits.batch_size",
        "int",
        "auto",
        Text("Batch size per GPU", "每块显卡的批量"),
        Text(
            "How many clips one GPU processes per step; larger is faster but uses more memory and repeats odd-length clips.",
            "每块显卡每步处理的片段数；越大越快，但更占显存，也会让长度少见的片段重复更多次。",
        ),
        low=1,
        high=128,
        auto=True,
        recommended=Text("auto; at most 12 below 300 clips", "auto；少于 300 条时不超过 12"),
        advice=Text(
            "Start at half the card's memory in GB, then 6 or 4 when memory runs out; auto measures it for you.",
            "一般从显存（GB）的一半开始尝试，溢出就降到 6 或 4；auto 会自动测出来。",
        ),
    ),
    Param(
        "sovits.epochs",
        "int",
        8,
        Text("Total epochs", "总训练轮数"),
        Text(
            "How many epochs the voice model trains; a set below 100 clips is shown several times in each (train.repeats).",
            "声学模型训练多少轮；少于 100 条的数据每轮会出现多次（train.repeats）。",
        ),
        low=1,
        high=200,
        recommended=Text("8-12; 15-25 above 30 minutes of audio", "8–12；音频超过 30 分钟用 15–25"),
        advice=Text(
            "Too few sounds unlike the speaker, too many learns the noise as well. The guide suggests 20-25 first; small sets do well with 8-12.",
            "太少音色不像，太多会把噪音也学进去。指南建议首次 20–25；小数据集 8–12 就够。",
        ),
    ),
    Param(
        "sovits.keep_resume",
        "choice",
        "latest",
        Text("Keep resume states", "保留续训存档"),
        Text(
            "Which resumable states stay on the server; finished voice files are never removed by this.",
            "服务器上保留哪些可续训的存档；不会删除已导出的声音文件。",
        ),
        choices=KEEP_RESUME_CHOICES,
        recommended=Text("latest", "latest"),
        advice=Text(
            '"Save only the latest weight file to save disk space": limits the large resume files only.',
            "“只保存最新权重以节省硬盘”：只限制体积大的续训文件。",
        ),
    ),
    Param(
        "sovits.export_each_save",
        "bool",
        True,
        Text("Save a small model at each save", "每次保存都导出小模型"),
        Text(
            "Write a small inference-only file at every save so epochs can be compared.",
            "每次保存都导出一个只能推理的小文件，方便比较各轮效果。",
        ),
        recommended=Text("on", "开"),
        advice=Text(
            "Keep it on: it is how you find the best epoch. The last epoch is always exported.",
            "建议勾选：靠它找出最好的一轮。最后一轮必定导出。",
        ),
    ),
    Param(
        "sovits.text_lr_scale",
        "float",
        0.4,
        Text("Text model learning rate weighting", "文本模块学习率权重"),
        Text(
            "Fraction of the learning rate used for the text-side layers.",
            "文本相关层的学习率占整体学习率的比例。",
        ),
        low=0.2,
        high=0.6,
        step=0.05,
        recommended=Text("0.4", "0.4"),
        advice=Text("Leave it at 0.4 for a first voice.", "首次训练保持默认 0.4。"),
    ),
    Param(
        "sovits.save_every_epochs",
        "int",
        4,
        Text("Save frequency", "保存频率"),
        Text(
            "Save and export every N epochs; the last epoch is always saved.",
            "每 N 轮保存并导出一次；最后一轮必定保存。",
        ),
        low=1,
        high=200,
        unit="epochs",
        recommended=Text("2-4", "2–4"),
        advice=Text(
            "Small loses less when the server dies, large writes less; 4 is a good balance.",
            "小则中断损失少，大则读写少；4 比较平衡。",
        ),
    ),
    Param(
        "sovits.grad_checkpoint",
        "bool",
        False,
        Text("Gradient checkpointing", "梯度检查点"),
        Text(
            "Recompute activations instead of keeping them: less memory, about a third slower.",
            "不保存中间结果而是重新计算：更省显存，约慢三分之一。",
        ),
        recommended=Text("off; on for cards with 6 GB or less", "关；显存 6 GB 以下可开"),
    ),
    Param(
        "gpt.batch_size",
        "int",
        "auto",
        Text("Batch size per GPU", "每块显卡的批量"),
        Text(
            "Clips per step for the prosody model; too large leaves almost no updates per epoch.",
            "韵律模型每步处理的片段数；过大会让每轮几乎没有参数更新。",
        ),
        low=1,
        high=64,
        auto=True,
        recommended=Text("auto; at most a 17th of your clips", "auto；不超过片段数的 1/17"),
        advice=Text(
            "The guide says to go down to 6 or 4 when memory runs out. Watch the updates per epoch beside this field.",
            "指南建议溢出时降到 6 或 4。请看旁边显示的每轮更新次数。",
        ),
    ),
    Param(
        "gpt.epochs",
        "int",
        15,
        Text("Total epochs", "总训练轮数"),
        Text(
            "Passes over the data for the model that decides rhythm and wording.",
            "负责节奏与读法的模型学习遍数。",
        ),
        low=2,
        high=100,
        recommended=Text("10-15", "10–15"),
        advice=Text(
            "It converges sooner than SoVITS. The guide suggests 20; when words are swallowed, fewer helps.",
            "收敛比 SoVITS 快。指南建议 20；若出现吞字，减少轮数更有效。",
        ),
    ),
    Param(
        "gpt.keep_resume",
        "choice",
        "latest",
        Text("Keep resume states", "保留续训存档"),
        Text(
            "Which resumable states stay on the server; finished voice files are never removed by this.",
            "服务器上保留哪些可续训的存档；不会删除已导出的声音文件。",
        ),
        choices=KEEP_RESUME_CHOICES,
        recommended=Text("latest", "latest"),
        advice=Text(
            "GPT resume files are large (about 0.9 GB each); latest keeps two.",
            "GPT 续训文件较大（约 0.9 GB 一个）；latest 保留两个。",
        ),
    ),
    Param(
        "gpt.export_each_save",
        "bool",
        True,
        Text("Save a small model at each save", "每次保存都导出小模型"),
        Text("Export a small file at each save for comparison.", "每次保存导出小文件用于比较。"),
        recommended=Text("on", "开"),
        advice=Text(
            "Keep it on: several epochs to compare cost little disk.",
            "建议勾选：多留几轮比较，占用很小。",
        ),
    ),
    Param(
        "gpt.save_every_epochs",
        "int",
        5,
        Text("Save frequency", "保存频率"),
        Text(
            "Save and export every N epochs; the last epoch is always saved.",
            "每 N 轮保存并导出一次；最后一轮必定保存。",
        ),
        low=1,
        high=100,
        unit="epochs",
        recommended=Text("3-5", "3–5"),
        advice=Text(
            "5 gives three or four models to compare over 15-20 epochs.",
            "5 轮一存，15–20 轮可得三四个模型比较。",
        ),
    ),
    Param(
        "gpt.dpo",
        "bool",
        False,
        Text("DPO training (experimental)", "DPO 训练（实验性）"),
        Text(
            "Adds a penalty for repeated or missing speech using automatically damaged copies; halves the batch.",
            "用自动损坏的副本惩罚重复与漏读；批量会减半。",
        ),
        recommended=Text("off", "关"),
        advice=Text(
            "Not needed for an ordinary voice. It needs no extra data, but it may be unstable.",
            "普通语音复刻不需要。它不需要额外数据，但可能不稳定。",
        ),
    ),
    Param(
        "train.gpus",
        "gpus",
        "0",
        Text("GPU numbers", "显卡编号"),
        Text('GPU numbers joined by "-", one process each.', "用“-”连接显卡编号，每块卡一个进程。"),
        recommended=Text("one GPU below an hour of audio", "一小时以内的音频用一块卡"),
        advice=Text("Most servers have one GPU, number 0.", "服务器通常只有一块 GPU，编号 0。"),
    ),
    Param(
        "train.device",
        "choice",
        "auto",
        Text("Device", "设备"),
        Text(
            "Where to train; auto takes the GPU where there is one.",
            "在哪里训练；auto 有显卡就用显卡。",
        ),
        choices=("auto", "cuda", "cpu"),
        recommended=Text("auto", "auto"),
    ),
    Param(
        "train.precision",
        "choice",
        "auto",
        Text("Precision", "数值精度"),
        Text(
            "Number format for training; auto picks bf16 when the GPU supports it.",
            "训练用的数值精度；自动模式在支持时选 bf16。",
        ),
        choices=("auto", "bf16", "fp16", "fp32"),
        recommended=Text("auto", "auto"),
    ),
    Param(
        "train.deterministic",
        "bool",
        False,
        Text("Same numbers each time on a GPU", "GPU 上结果可重复"),
        Text(
            "Let a GPU use only operations whose sums come in the same order each time, without TF32.",
            "让 GPU 只使用每次求和顺序都相同的运算，并关闭 TF32。",
        ),
        recommended=Text("off", "关"),
        advice=Text(
            "Slower. Turn it on to compare two runs number by number; a CPU repeats itself anyway.",
            "会变慢。只有要逐数比较两次训练时才打开；CPU 上本来就可重复。",
        ),
    ),
    Param(
        "train.schedule",
        "choice",
        "fixed",
        Text("Update schedule", "更新方式"),
        Text(
            "fixed always updates the weights; upstream repeats GPT-SoVITS step by step, with its oddities.",
            "fixed 保证每轮都更新；upstream 逐步重现 GPT-SoVITS 的做法（包括怪癖）。",
        ),
        choices=("fixed", "upstream"),
        recommended=Text("fixed", "fixed"),
    ),
    Param(
        "train.repeats",
        "int",
        "auto",
        Text("Times a clip is shown per epoch", "每轮每条片段出现的次数"),
        Text(
            "How often one epoch shows each clip; auto repeats sets below 100 clips as GPT-SoVITS does (20 clips: 6 times), so that its advice on epochs holds.",
            "每一轮里每条片段出现几次；auto 会像 GPT-SoVITS 那样重复少于 100 条的数据（20 条重复 6 次），这样轮数的建议才适用。",
        ),
        low=1,
        high=100,
        auto=True,
        recommended=Text("auto", "auto"),
        advice=Text(
            "What counts is the number of updates, shown in the plan: a first voice of 20 clips gets 150 and more with 8 epochs, GPT-SoVITS makes 64 to 72 of them.",
            "关键是计划里显示的更新次数：20 条的第一个声音，8 轮有 150 次以上更新，GPT-SoVITS 为 64 到 72 次。",
        ),
    ),
    Param(
        "train.save_every_minutes",
        "int",
        10,
        Text("Save every N minutes", "每 N 分钟保存"),
        Text(
            "Also save resumable state every N minutes so a lost server costs little; 0 switches it off.",
            "另外每 N 分钟存一次续训状态，服务器中断时损失更小；0 为关闭。",
        ),
        low=0,
        high=120,
        unit="minutes",
        recommended=Text("10; 5 on spot servers", "10；竞价实例用 5"),
    ),
    Param(
        "train.seed",
        "int",
        1234,
        Text("Seed", "随机种子"),
        Text(
            "Fixes shuffling and noise so a run can be repeated.", "固定打乱顺序与噪声，便于复现。"
        ),
        low=0,
        recommended=Text("1234", "1234"),
    ),
    Param(
        "train.on_oom",
        "choice",
        "shrink",
        Text("When memory runs out", "显存不足时"),
        Text(
            "What to do when GPU memory runs out: halve the batch and continue, or stop.",
            "显存不足时的处理：减半批量继续，或停止。",
        ),
        choices=("shrink", "stop"),
        recommended=Text("shrink", "shrink"),
    ),
    Param(
        "train.on_change",
        "choice",
        "stop",
        Text("When data or settings changed", "数据或设置改变时"),
        Text(
            "What a resumed run does when its dataset or settings differ from the saved state.",
            "续训时若数据或设置与存档不同，该怎么办。",
        ),
        choices=("continue", "restart", "stop"),
        recommended=Text("stop", "stop"),
    ),
    Param(
        "pack.contents",
        "choice",
        "voice",
        Text("Contents", "打包内容"),
        Text(
            "What goes into the archive: the chosen pair with its reference, every epoch, or everything needed to continue.",
            "打包内容：选定模型与参考音、全部轮次，或可续训的全部文件。",
        ),
        choices=("voice", "all-epochs", "resumable"),
        recommended=Text("voice", "voice"),
        advice=Text(
            "Replaces `zip -r ... GPT_weights/NAME SoVITS_weights/NAME`; no zip tool or sudo is needed.",
            "代替 `zip -r ... GPT_weights/NAME SoVITS_weights/NAME`；不需要安装 zip，也不需要 sudo。",
        ),
    ),
)
