"""Units, currencies and measure words that follow a number."""

from __future__ import annotations

import re

# Upstream replaces these anywhere, so that a stray Latin m or s is read; here only after a
# number.
UNITS = {
    "cm2": "平方厘米",
    "cm²": "平方厘米",
    "cm3": "立方厘米",
    "cm³": "立方厘米",
    "cm": "厘米",
    "db": "分贝",
    "dB": "分贝",
    "ds": "毫秒",
    "kg": "千克",
    "km": "千米",
    "m2": "平方米",
    "m²": "平方米",
    "m³": "立方米",
    "m3": "立方米",
    "ml": "毫升",
    "mL": "毫升",
    "mm": "毫米",
    "ms": "毫秒",
    "m": "米",
    "s": "秒",
    "g": "克",
    "Hz": "赫兹",
    "kHz": "千赫",
    "MB": "兆字节",
    "GB": "吉字节",
}
UNIT_NAMES = "|".join(sorted(map(re.escape, UNITS), key=len, reverse=True))
CURRENCIES = {"€": "欧元", "£": "英镑", "¥": "元"}

_MEASURES = (
    "个 只 条 张 本 件 位 名 人 口 头 匹 辆 艘 架 台 部 把 支 枝 根 棵 株 朵 片 块 粒 颗 滴 "
    "座 栋 幢 间 层 户 家 所 套 双 对 副 群 队 班 批 组 排 行 列 串 束 包 袋 箱 盒 瓶 杯 碗 盘 盆 "
    "桶 壶 罐 篇 页 章 节 句 段 首 幅 封 份 项 门 次 回 遍 趟 场 顿 番 声 步 圈 下 "
    "年 月 日 天 周 时 分 秒 刻 岁 代 世 季 夜 点 号 期 届 倍 成 折 级 度 "
    "元 角 毛 钱 两 斤 吨 克 米 里 尺 寸 丈 亩 顷 升 码 英寸 英尺 英里 公斤 公里 公分 公顷 "
    "千克 毫克 厘米 毫米 分米 千米 平方米 平方公里 立方米 毫升 小时 分钟 秒钟 星期 世纪 "
    "万 亿 千 百 万元 亿元 美元 欧元 英镑 日元 港元 块钱"
)
MEASURE_WORDS = "|".join(sorted(_MEASURES.split(), key=len, reverse=True))
