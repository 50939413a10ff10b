"""What went wrong, and what to do, for a reader of another language than the program's own.

An error is written once, in English, where it is found. Here is how those read in Chinese that a planner's own
files bring about; files, columns, keys and numbers stay as they are. A rarer one follows its kind in English,
whole: half of a sentence in each language helps nobody.
"""

from __future__ import annotations

import re
from collections.abc import Mapping


class Errors:
    """English errors: as they are."""

    error_kinds: Mapping[str, str] = {
        "DataError": "{said}",
        "CampaignError": "{said}",
        "InfeasibleError": "{said}",
        "SolverError": "{said}",
    }
    faults: tuple[tuple[str, str], ...] = ()

    def told_fault(self, text: str) -> str:
        """An error in this language where it is one that we know, else as it is.

        >>> ErrorsZh().told_fault("brief.yaml: budget_cny: expected a number > 0, got -5")
        'brief.yaml: budget_cny：应为大于 0 的数，实为 -5'
        >>> ErrorsZh().told_fault("policy value: an outcome is not a finite number")
        'policy value: an outcome is not a finite number'
        """
        for pattern, said in self.faults:
            whole, found = re.subn(pattern, said, text, flags=re.S)
            if found:
                return whole
        return text


class ErrorsZh(Errors):
    """Chinese errors: the kind first, for it says what must be changed."""

    error_kinds: Mapping[str, str] = {
        "DataError": "输入数据有误，请修改数据：{said}",
        "CampaignError": "投放需求或设置有误，请修改：{said}",
        "InfeasibleError": "没有可行的计划，请放宽要求：{said}",
        "SolverError": "程序内部错误，请报告：{said}",
    }
    faults = (
        # the brief
        (r": expected a number > (.*), got (.*)$", r"：应为大于 \1 的数，实为 \2"),
        (r": expected a number >= (.*), got (.*)$", r"：应为不小于 \1 的数，实为 \2"),
        (r": expected a number < (.*), got (.*)$", r"：应为小于 \1 的数，实为 \2"),
        (r": expected a number <= (.*), got (.*)$", r"：应为不大于 \1 的数，实为 \2"),
        (r": expected a (?:finite )?number, got (.*)$", r"：应为有限的数，实为 \1"),
        (r": expected a whole number, got (.*)$", r"：应为整数，实为 \1"),
        (r": expected text, got (.*)$", r"：应为文字，实为 \1"),
        (r": expected a list, got (.*)$", r"：应为列表，实为 \1"),
        (r": expected at least one value, got none", "：至少要有一个值"),
        (r": required key is missing", "：缺少这个必填的键"),
        (
            r": unknown key; did you mean \"(.*?)\"\? allowed keys: (.*)$",
            r"：未知的键，是否指“\1”？可用的键：\2",
        ),
        (r": unknown key; allowed keys: (.*)$", r"：未知的键，可用的键：\1"),
        (r": unknown kind '(.*?)'.* expected one of (.*)$", r"：未知的规则种类“\1”，应为以下之一：\2"),
        (r": expected one of (.*), got ([^;]*)(?:;.*)?$", r"：应为以下之一：\1；实为 \2"),
        (r": expected a date or time like (\S+), got (.*)$", r"：应为日期或时间，例如 \1；实为 \2"),
        (
            r": cannot be read \((.*)\); give a UTF-8 YAML file$",
            r"：无法读取（\1），请给出 UTF-8 的 YAML 文件",
        ),
        (r": is not valid YAML: (.*)$", r"：不是有效的 YAML：\1"),
        (r": is empty; expected `key: value` lines$", "：文件为空，应为“键: 值”的行"),
        (
            r"placements: the brief names (.*), (\S+) has (.*); expected at least one in common$",
            r"placements：投放需求写的是 \1，\2 里有 \3，至少应有一个相同",
        ),
        (
            r": (\w+) (.*) matches no cell; expected one of (.*)$",
            r"：没有 \1 为 \2 的投放单元，应为以下之一：\3",
        ),
        (
            r": change_limit compares with last_plan, which is missing; give it$",
            "：change_limit 要与上次的计划相比，请给出 last_plan",
        ),
        (
            r"horizon_days: the brief says (\d+), the model was trained for (\d+); change the brief or train again$",
            r"horizon_days：投放需求为 \1 天，模型按 \2 天训练；请修改投放需求，或重新训练",
        ),
        (
            r"horizon_days: (\d+) days, but the oldest new fan in the logs was watched for (\d+): .* set at most (\d+), or give longer logs$",
            r"horizon_days：要求 \1 天，但日志里最早的新粉丝只观察了 \2 天，之后买什么无从得知；最多设为 \3，或给出更长的日志",
        ),
        (
            r"objective (\S+): no follower in the logs has a kept order, .*$",
            r"objective \1：日志里没有新粉丝有未退款的订单，单粉成交额未知；请按 new_fans 或 live_entries 规划，或给出订单",
        ),
        (
            r"objective (\S+) needs column (\S+), which the report does not have above 0; add it or change the objective$",
            r"目标 \1 需要列 \2，而报表里没有大于 0 的值；请补上这一列，或更改目标",
        ),
        (
            r": no row of the brief's placements (.*); found (.*)$",
            r"：没有投放需求中投放位置 \1 的行；现有 \2",
        ),
        (
            r": (.*) has no curve, expected one of (.*); take it out of the brief or give its curve$",
            r"：\1 没有曲线，应为 \2 之一；请从投放需求中删去，或给出曲线",
        ),
        (
            r": (.*) is not among those that were learned \((.*)\); take it out of the brief or train on logs that have it$",
            r"：\1 不在学到的投放位置（\2）之中；请从投放需求中删去，或用含有它的日志训练",
        ),
        (
            r"segments: there is no segment to plan for; score users who are not fans yet$",
            "segments：没有可规划的人群；请给尚未关注的用户打分",
        ),
        (
            r"objective live_entries: no live entry is known in (.*); give .*$",
            r"objective live_entries：\1 里没有直播间进入数；请给出 entered_live（日志）或 live_entries（报表），或更改目标",
        ),
        (
            r"economics: objective profit needs .*; add them to the brief$",
            "economics：目标为利润时需要 gross_margin 毛利率和 fee_rate 费率，请写进投放需求",
        ),
        (
            r"economics: objective profit needs the margin of campaign (.*); add it$",
            r"economics：目标为利润时需要计划 \1 的毛利率，请补上",
        ),
        (r": a plan can have one risk floor; keep one$", "：一份计划只能有一条风险下限，请保留一条"),
        (
            r": risk needs draws of the curves and there are none.*$",
            "：风险规则需要曲线的抽样，而这里没有；请删去，或用日志规划",
        ),
        (
            r": min_cny (.*) is above the budget (.*), so no cell could ever be used; lower it$",
            r"：min_cny \1 高于预算 \2，任何单元都用不上；请调低",
        ),
        (
            r": none of the selected cells has live entries; .*$",
            "：所选单元都没有直播间进入；请选择有进入步骤的投放位置，或删去这条规则",
        ),
        (
            r": min_share (.*) for each of (\d+) adds up to more than everything; expected at most (.*)$",
            r"：\2 个各占 min_share \1，合计超过全部；最多为 \3",
        ),
        (
            r": how many people the curves reach is not known, .*$",
            "：不知道曲线触达多少人，因此不知道人均曝光次数；请删去，或用日志规划",
        ),
        (
            r": the curves give one value, which the objective calls (\w+), so (\w+) is not known; change metric or objective$",
            r"：曲线只有一个数值，目标称之为 \1，因此 \2 未知；请更改 metric 或目标",
        ),
        (r": no cell has (.*) together; widen the selection$", r"：没有单元同时符合 \1；请放宽选择"),
        (
            r": one target asks for the cheapest plan, .*; keep one, or write roi as a roi_floor$",
            "：一个目标求最省钱，另一个求尽量多且能回本；请保留一个，或把 roi 写成 roi_floor",
        ),
        (
            r"^gap_tol is (.*), expected a number > 0 \(1e-6 is usual\)$",
            r"gap_tol 为 \1，应为大于 0 的数（通常 1e-6）",
        ),
        (r"^time_limit_s is (.*), expected seconds > 0$", r"time_limit_s 为 \1，应为大于 0 的秒数"),
        (
            r"curves: the table is empty; expected one row per curve or point$",
            "curves：表是空的，每条曲线或每个点应有一行",
        ),
        (
            r"curves: (.*) has one point, expected at least two \(spend_cny, value\)$",
            r"curves：\1 只有一个点，至少要有两个（spend_cny、value）",
        ),
        (r"curves: (.*): two points have the same spend_cny$", r"curves：\1 有两个点的 spend_cny 相同"),
        (
            r"curves: (.*): value decreases at spend_cny (.*); expected it to grow$",
            r"curves：\1 在 spend_cny \2 处 value 下降，应随花费增加",
        ),
        (
            r": expected a mapping of keys to values \(campaign_id: \.\.\.\), got (.*)$",
            r"：应为“键: 值”（campaign_id: ...），实为 \1",
        ),
        (
            r"grants\[(\d+)\]: selects no cell; name a placement or segment of the plan$",
            r"grants[\1]：没有选中任何单元，请写计划中的投放位置或人群",
        ),
        (
            r"delivery: no row of campaign_id (.*) or of the campaign's days; campaigns found: (.*); dates (.*) to (.*); give .*$",
            r"报表：没有计划 \1 或投放日期的行；现有计划 \2，日期 \3 至 \4；请给出涵盖这次投放的报表",
        ),
        (
            r"delivery: none of its cells \((.*)\) is one of the plan's \((.*)\); use its names$",
            r"报表：单元（\1）都不在计划的单元（\2）之中；请使用计划里的名称",
        ),
        (
            r"^(.*?): cannot be used \((.*)\); give another one, e\.g\. (.*)$",
            r"\1：无法使用（\2），请换一个，例如 \3",
        ),
        # tables
        (
            r": required columns? (.*) of table (\S+) missing; found: (.*); add or rename (?:it|them)$",
            r"：表 \2 缺少必需的列 \1；现有：\3；请补上或改名",
        ),
        (
            r": columns (.*) and (.*) both mean (.*); expected one: remove or rename the other$",
            r"：列 \1 和 \2 都表示 \3，请删去或改名其中一列",
        ),
        (
            r": column (.*) appears twice in the header; expected distinct names$",
            r"：表头中列 \1 出现两次，列名应各不相同",
        ),
        (
            r": (\d+) of (\d+) rows are bad, more than (\S+) of the table; (.*): mend the file, or raise max_rejected_share to go on without them$",
            r"：\2 行中有 \1 行有误，超过全表的 \3；\4：请修改文件，或调高 max_rejected_share 略去这些行",
        ),
        (r": none of (\d+) rows of table (\S+) is usable; (.*)$", r"：表 \2 的 \1 行全都不可用；\3"),
        (r": no data rows; expected at least one row of table (\S+)$", r"：没有数据行，表 \1 至少要有一行"),
        (
            r": expected at least one outcome column \((.*)\); found: (.*)$",
            r"：至少要有一个结果列（\1）；现有：\2",
        ),
        (r": the file is empty; expected a header line and data rows$", "：文件为空，应有表头和数据行"),
        (r": the first line is empty; expected column names$", "：第一行为空，应为列名"),
        (r": not a text file; expected .*$", "：不是文本文件，应为 UTF-8 或 GBK 的 CSV，或 .xlsx 工作簿"),
        (r": neither UTF-8 nor GBK text; .*$", "：既不是 UTF-8 也不是 GBK，请重新导出"),
        (
            r": not a workbook that can be read \((.*)\); save it again, or export it as CSV$",
            r"：无法读取的工作簿（\1），请重新保存，或导出为 CSV",
        ),
        (r": unknown extension (.*); expected (.*)$", r"：未知的文件类型 \1，应为 \2"),
        (r": table (\w+) is missing; expected (.*); found: (.*)$", r"：缺少表 \1，应有 \2；现有：\3"),
        (
            r": table (\w+) is there twice \((.*)\); expected one: remove or rename the other$",
            r"：表 \1 有两份（\2），请删去或改名其中一份",
        ),
        (r": no such file; expected .*$", "：没有这个文件；应为 CSV、Parquet 文件，或由多个部分组成的文件夹"),
        (r": cannot be read: (.*); check the path and permissions$", r"：无法读取：\1；请检查路径和权限"),
        (
            r": no row has cost_cny above 0, .*$",
            "：没有一行花费大于 0，无从得知钱能买到什么；请给出有花费的日子的报表",
        ),
        (
            r"exposures: (\d+) shown rows before (.*), expected at least (\d+); add more days of logs$",
            r"exposures：\2 之前只有 \1 行曝光，至少要有 \3 行；请补充更多天的日志",
        ),
        (
            r"exposures: (\d+) follows in (\d+) rows, expected at least (\d+) to learn who follows; .*$",
            r"exposures：\2 行中只有 \1 次关注，至少要有 \3 次才能学习谁会关注；请补充日志，或检查 followed 列",
        ),
        (
            r"users: nobody is eligible, .*$",
            "users：没有可投放的人，所有行的 is_fan 都为 true；请给出尚未关注的人",
        ),
        # directories of ours
        (
            r": no such directory; expected one written by `targeting plan`$",
            "：没有这个目录，应为 `targeting plan` 写出的目录",
        ),
        (r": is missing; restore it, or plan again$", "：缺失，请恢复，或重新规划"),
        (
            r": edited after the plan was written: (.*?); .*$",
            r"：计划写出之后被改动：\1；请恢复原文件，或重新规划",
        ),
        (
            r": cannot be read \((.*)\); expected a file of `targeting plan`$",
            r"：无法读取（\1），应为 `targeting plan` 的文件",
        ),
        (
            r": no scores\.parquet; expected the output directory of `targeting score`$",
            "：没有 scores.parquet，应为 `targeting score` 的输出目录",
        ),
        (
            r": was scored from other users than (.*) holds now; run `targeting score` again$",
            r"：得分所依据的用户与 \1 现有的不同，请重新运行 `targeting score`",
        ),
        (
            r": is a file; expected a directory: choose another output directory$",
            "：是文件，应为目录；请另选输出目录",
        ),
        (
            r": cannot be written: (.*); free space or choose another (?:output directory|place)$",
            r"：无法写入：\1；请腾出空间，或另选输出目录",
        ),
        (
            r": holds the input (.*), which the result would replace; choose another output directory$",
            r"：含有输入 \1，结果会将它替换；请另选输出目录",
        ),
        (
            r": another targeting job is writing there; wait until it is done, or choose another output directory$",
            "：另一个任务正在写入，请等它完成，或另选输出目录",
        ),
        (
            r"model (\S+): cannot be loaded \((.*)\); train first, or check the name and the tracking store$",
            r"模型 \1：无法载入（\2）；请先训练，或检查名称和跟踪库",
        ),
    )
