"""What the program noticed on the way, for a reader of another language than its own.

A note is written once, in English, where it is found: names, files and numbers in it stay as they are. Here
is how each reads in Chinese; one that is not listed is shown as it was written.
"""

from __future__ import annotations

import re

from targeting.words.errors import in_chinese


class Notes:
    """English notes: as they are."""

    def told(self, text: str) -> str:
        """A note in this language where it is one that we know.

        >>> NotesZh().told("randomised: live 6511 rows with 100 follows, held out 8652 rows")
        '随机：直播间 6511 行、关注 100 次，对照组 8652 行'
        >>> Notes().told("users: everybody is already a fan; nobody is eligible")
        'users: everybody is already a fan; nobody is eligible'
        """
        return text


class NotesZh(Notes):
    """Chinese notes."""

    def told(self, text: str) -> str:
        """A note in Chinese where it is one that we know; the reason of a bad row is told as in an error."""
        if said := in_chinese(text):
            return said
        for pattern, said in self.sentences:
            text = re.sub(pattern, said, text)
        before, mark, reason = text.rpartition("：")
        return before + mark + (in_chinese(reason) or reason)

    sentences = (
        # what the claims rest on
        (r"^randomised: ", "随机："),
        (r"\bvideo (?=\d+ rows)", "短视频 "),
        (r"\blive (?=\d+ rows)", "直播间 "),
        (r"(\d+) rows with (\d+) follows(?:, )?", r"\1 行、关注 \2 次，"),
        (r"held out (\d+) rows", r"对照组 \1 行"),
        (
            r"^(\d+) cell-days of the report had their spend set at random; the curves rest on these",
            r"报表中有 \1 个单元日的花费由随机决定，曲线以此为据",
        ),
        (
            r"^a console report without randomised spend: buyers who would have come anyway are counted, and spend may have followed demand",
            "后台报表没有随机花费：本来就会来的买家也计算在内，花费可能跟着需求走",
        ),
        (
            r"^the curves were supplied from outside, and whether they are causal is not known here",
            "曲线由外部提供，是否因果在此无从得知",
        ),
        # what the data are
        (
            r"(\d+) of (\d+) rows quarantined; most frequent \((\d+)\): ",
            r"\2 行中有 \1 行被隔离；最常见的原因（\3 行）：",
        ),
        (r"(\d+) rows of users who are not in users, quarantined$", r"\1 行的用户不在 users 表中，已隔离"),
        (r": ignored unknown columns? (.*)$", r"：忽略未知的列 \1"),
        (r": no column (.*); taken as empty$", r"：没有列 \1，按空值处理"),
        (
            r": (\d+) rows repeat an earlier row in every cell and are set aside$",
            r"：\1 行与前面某行完全相同，不再计入",
        ),
        (r": (\d+) rows are set aside: (.*?)(, set aside)?$", r"：\1 行不计入：\2"),
        (r": (\d+) rows repeat another row's (.*); they are added up$", r"：\1 行的 \2 与另一行相同，已相加"),
        (r": (\w+) (.*) is also written (.*); taken as one$", r"：\1 \2 也写作 \3，视为同一个"),
        (
            r": (\d+) refunds above gmv_cny \(shipping, compensation\) counted as gmv_cny$",
            r"：\1 笔退款高于成交额（运费、赔付），按成交额计",
        ),
        (
            r": no orders at all; nothing can be learned about what new fans buy$",
            "：没有任何订单，无法得知新粉丝买什么",
        ),
        (
            r": (\d+) live rows without entered_live; entries cannot be learned from them$",
            r"：直播间有 \1 行没有 entered_live，无法从中得知进入率",
        ),
        (
            r": all shown rows are in placement (.*); the others cannot be learned$",
            r"：所有曝光都在投放位置 \1，其他位置无从得知",
        ),
        (
            r": no randomized rows; effects are observational, not causal$",
            "：没有随机曝光的行，效果是观察性的，不是因果",
        ),
        (
            r"^users: no feature column; everybody will get the same scores, in one segment$",
            "users：没有特征列，所有人得分相同，归为一个人群",
        ),
        (
            r"^users: everybody is already a fan; nobody is eligible$",
            "users：所有人都已是粉丝，没有可投放的人",
        ),
        (r"feature (.*) has (?=\d|times)", r"特征 \1 有 "),
        (
            r"(\d+) cells with a value that training never saw, such as (.*);",
            r"\1 个单元格的值在训练中没有见过，例如 \2；",
        ),
        (
            r"(\d+) cells that are not what it was in training, such as (.*);",
            r"\1 个单元格与训练时类型不符，例如 \2；",
        ),
        (r"(\d+) NaN or infinite cells;", r"\1 个非有限数；"),
        (
            r"(\d+) cells a thousand times beyond what training saw, such as (.*);",
            r"\1 个单元格超出训练所见一千倍，例如 \2；",
        ),
        (r"(\d+) cells below 0, such as (.*); training saw none$", r"\1 个负值，例如 \2，训练中没有见过负值"),
        (
            r"times in (\d+) cells; taken as days before snapshot_at$",
            r"\1 个时间，按距 snapshot_at 的天数处理",
        ),
        (r"[;；] ?taken as empty$", "，按空值处理"),
        (
            r"^(\d+) exposures before their user's snapshot_at were left out \(features could know the outcome\)$",
            r"\1 次曝光早于该用户的 snapshot_at，已略去（特征可能已含结果）",
        ),
        (
            r"^(\d+) of (\d+) exposures happened before their user's snapshot_at: .*$",
            r"\2 次曝光中有 \1 次早于该用户的 snapshot_at：特征可能已含结果，得分可能偏乐观；请在投放之前取快照",
        ),
        (
            r"^(\d+) of (\d+) exposures are younger than 24 h: their follows may still come, rates may be low$",
            r"\2 次曝光中有 \1 次不足 24 小时：关注可能还会到来，比率可能偏低",
        ),
        (
            r"^delivery: (\d+) of (\d+) rows are of placements that the brief does not buy: (.*)$",
            r"报表：\2 行中有 \1 行的投放位置不在投放需求中：\3",
        ),
        (
            r"^delivery: nothing was ever spent in (.*), which gets nothing$",
            r"报表：\1 从未有过花费，因此不分配",
        ),
        (
            r"^curves: those of (.*) are left out: the brief does not buy them$",
            r"曲线：略去 \1，投放需求不买它们",
        ),
        # what cannot be told from them
        (
            r"^no new fan has a kept order: GMV per fan is unknown, only new_fans and live_entries can be planned$",
            "没有新粉丝有未退款的订单：单粉成交额未知，只能按涨粉数或直播间进入数规划",
        ),
        (
            r"^calibration is judged on held-out users, not on held-out time: under (\d+) follows of a placement on one side of the cut, or a single day$",
            r"校准用留出的用户检验，而不是留出的时间：分界一侧某个投放位置的关注不足 \1 次，或只有一天",
        ),
        (
            r"^calibration cannot be judged: under (\d+) follows to learn from apart$",
            r"校准无法检验：可供另外学习的关注不足 \1 次",
        ),
        (
            r"^horizon_days: (\d+) days are promised, new fans were watched for (\d+): (\d+)% of a fan's GMV is extrapolated .*$",
            r"horizon_days：承诺 \1 天，新粉丝只观察了 \2 天：单粉成交额的 \3% 由此前购买的衰减外推而来，区间因此更宽",
        ),
        (
            r"^no difference found: nothing in the logs tells whom to prefer, so everybody is one segment and the money is divided between the placements alone",
            "未发现差异：日志看不出该优先投给谁，因此所有人归为一个人群，预算只在投放位置之间分配",
        ),
        (
            r"^segments: later purchases show (\d+)% of the differences between people that were promised; .*$",
            r"人群：后来的购买只体现了所承诺差异的 \1%；在更多新粉丝购买之前，请把人群当作猜测",
        ),
        (r"^([^\s：]+): (?=\d|特征)", r"\1："),
        (r"^segment (.*), placement (.*): ", r"人群 \1，投放位置 \2："),
        (
            r"at the money that was spent its curve gives ([\d.]+) of the (\w+) that came; its days are too different for one curve: plan with care or split the segment$",
            r"按实际花费，曲线只给出实际 \2 的 \1 倍；各天差别太大，一条曲线说不清：请谨慎规划，或拆分人群",
        ),
        (
            r"^delivery: column reach \(触达人数\) is missing, so nothing tells how often each person was shown; .*$",
            "报表：没有触达人数（reach）一列，无从得知每人被展示几次；一天还能容纳多少只能由各天花费推测，区间因此更宽",
        ),
        (
            r"^curves: supplied curves do not tell how chance moves a campaign, so what will really come has no range$",
            "曲线：外部曲线没有说明偶然的影响，因此实际结果没有区间",
        ),
        (
            r"^slots: (.*) do not differ beyond chance in these data, so equal slots are planned alike$",
            r"时段：这些数据里\1的差别不超出偶然，各时段同样规划",
        ),
        (r"hours of the day", "一天各小时"),
        (r"days of the week(?=的)", "一周各天"),
        (
            r"^slots: days of the week differ in what money buys, but the brief has no starts_at; give it$",
            "时段：一周各天的钱效不同，但投放需求没有 starts_at，请给出",
        ),
        (
            r"^starts_at: the campaign (.*): prices, follow rates and values are taken as they were; a season or a festival in between is in no number of this plan$",
            r"starts_at：投放\1：价格、涨粉率和价值按当时计；其间的季节或大促不在任何数字里",
        ),
        (r"starts (\d+) days after what is known ends \((.*?)\)", r"在已知数据结束（\2）后 \1 天才开始"),
        (r"ends (\d+) days after what is known ends \((.*?)\)", r"在已知数据结束（\2）后 \1 天才结束"),
        (r"starts (\d+) days before what is known ends \((.*?)\)", r"在已知数据结束（\2）前 \1 天就开始"),
    )
