"""The frame of errors, in English and Chinese: keys, what was expected, results, places.

An error is a place, what is wrong there, what was expected and what to do, joined by `: `, `; ` and `, `: a few
phrases make up most of what can be said. A line is `English | Chinese`. `{}` is anything and stays as it is
(unless it is a phrase itself), `{n}` one name or number, `{l}` a list of names, `{k}` something that is a phrase
too, `{r}` all up to the next `;`. The first line that fits is taken, so what says more stands above what says less.
"""

ZH = """
# the brief and its keys
every constraint needs the key kind, one of {} | 每条规则都要有 kind，为以下之一：{}
required key is missing | 缺少这个必填的键
unknown key; did you mean {n}? allowed keys: {r} | 未知的键，是否指 {}？可用的键：{}
unknown key; allowed keys: {r} | 未知的键，可用的键：{}
unknown kind {n}; did you mean {n}? expected one of {} | 未知的规则种类 {}，是否指 {}？应为以下之一：{}
unknown kind {n}; expected one of {} | 未知的规则种类 {}，应为以下之一：{}
not known; did you mean {n}? | 未知，是否指 {}？
not known | 未知
world {n} does not exist; did you mean {n}? expected one of {} | 没有世界 {}，是否指 {}？应为以下之一：{}
world {n} does not exist: {} | 没有世界 {}：{}
language {n} is not spoken | 不支持语言 {}
did you mean {n}? | 是否指 {}？
key {n} is not text | 键 {} 不是文字
key {n} stands twice | 键 {} 出现两次
a placement is listed twice | 有投放位置列了两次
list each once | 每个只列一次
'none' marks held-out rows in the logs and cannot be bought | 'none' 表示日志里的对照行，不能购买
of and to select the same cells, so the ratio is always 1 | of 和 to 选中相同的单元，比值总为 1
risk is about the whole plan | 风险规则针对整份计划
constraint {n} is called {n}, which is {}'s name | 规则 {} 名为 {}，而这是 {} 的名称
constraints {n} and {n} are both called {n} | 规则 {} 和 {} 都名为 {}
constraints {n} and {n} | 规则 {} 和 {}
needs at least one of {} | 至少需要以下之一：{}
needs exactly one of {}, from/to | 恰好需要 {}、from/to 之一
has {l} | 现有 {}
# what was expected
expected {} as its cells | 应与它的单元一致，为 {}
expected a mapping of keys to values (campaign_id: ...), got {r} | 应为“键: 值”（campaign_id: ...），实为 {}
expected it to grow | 应随花费增加
expected placement: impressions | 应为“投放位置: 曝光次数”
expected `key: value` lines, found a {n} | 应为“键: 值”的行，实为 {}
expected `key: value` lines | 应为“键: 值”的行
expected one of {}, got {}; did you mean {n}? | 应为以下之一：{}；实为 {}；是否指 {}？
expected one of {}, got {r} | 应为以下之一：{}；实为 {}
expected at least one outcome column ({}) | 至少要有一个结果列（{}）
expected at least one value, got none | 至少要有一个值
expected a date or time that a calendar has, got {r} | 应为日历上存在的日期或时间，实为 {}
expected the files of a plan, or one table (a console's report or curves) and at most one brief, got {r} | 应为一份计划的文件，或一张表（后台报表或曲线）加最多一份投放需求，实为 {}
expected at most {n} characters, got {n} | 最多 {} 个字符，实为 {} 个
expected {n} spends, one per cell, got shape {} | 应有 {} 个花费，每个单元一个，实际形状为 {}
expected {n} spends, one per cell, got {n} | 应有 {} 个花费，每个单元一个，实有 {} 个
expected every digit, found scientific notation of Excel: export ids as text | 应有全部数字，实为 Excel 的科学计数法：请把编号导出为文本
expected text that can be printed, found control characters: take them out | 应为可打印的文字，含有控制字符：请删去
expected a part, {n} is the sum of all others, set aside | {} 是其他各行的合计，不计入
expected a part, this is a total of other rows, set aside | 是其他行的合计，不计入
expected a part, this is a total of other rows | 是其他行的合计
expected once, repeats an earlier row in every cell, set aside (exported twice?) | 与前面某行完全相同，不计入（导出了两次？）
expected unique, repeats an earlier row exactly (the first is kept) | 与前面某行完全重复（保留第一行）
expected unique, repeats an earlier row (the first is kept) | 与前面某行重复（保留第一行）
expected unique, restates an earlier row (the first is kept) | 改写了前面某行（保留第一行）
expected {n} fields as in the header, found more (unquoted comma?) | 应与表头一样有 {} 个字段，实际更多（逗号没有加引号？）
expected every quote to be closed on it, found one left open: double or remove it | 引号没有成对：请补全或删去
expected 0 for placement none and at least 1 for any other | 投放位置为 none 时应为 0，其他至少为 1
expected 0 for placement none | 投放位置为 none 时应为 0
expected a time within 24 h after exposed_at | 应为 exposed_at 之后 24 小时内的时间
expected empty where followed is false | followed 为 false 时应为空
expected at most twice gmv_cny (same unit?) | 最多为 gmv_cny 的两倍（单位一致吗？）
expected at least one of {} to be filled | {} 至少要填一个
expected a date that can be meant ({}, near the others) | 应为说得通的日期（{}，与其他日期相近）
expected text, not a fraction | 应为文字，不是小数
expected curves as points ({}) or parameters ({}) | 曲线应为点（{}）或参数（{}）
expected finite outcomes and scores, and treated 0 or 1 in every row | 结果和得分应为有限的数，每行的 treated 为 0 或 1
expected a frame, got a single {n} column | 应为一张表，实为单独一列 {}
expected a polars, pandas or Arrow frame or a mapping of columns, got {n} | 应为 polars、pandas、Arrow 的表或各列的字典，实为 {}
expected 0 < shape <= 1 | 应有 0 < shape <= 1
expected 0 < slope <= 1 | 应有 0 < slope <= 1
expected seconds > 0 | 应为大于 0 的秒数
expected {k}, found a {n} | 应为{}，实为 {}
expected {k}, got {r} | 应为{}，实为 {}
expected {k}, found {} | 应为{}，现有 {}
expected one of {} | 应为以下之一：{}
expected {k} | 应为{}
expected {l} | 应为 {}
expected {n} | 应为 {}
one of {l} | 以下之一：{}
{k} (1e-6 is usual) | {}（通常 1e-6）
{k} (spend_cny, value) | {}（spend_cny、value）
{k} (or empty) | {}（或留空）
{k} and <= {n} | {}，且不大于 {}
{k} > {n} | 大于 {1} 的{0}
{k} >= {n} | 不小于 {1} 的{0}
{k} <= {n} | 不大于 {1} 的{0}
{k} < {n} | 小于 {1} 的{0}
{k} for this family | 这种曲线需要{}
{k} per offer | 每个机会一个{}
{k} at most {n} letters | {}最多 {} 个字符
at most {n} letters | 最多 {} 个字符
a finite number | 有限的数
a finite amount | 有限的金额
a number of yuan | 元数
a number between {n} and {n} | {} 与 {} 之间的数
a number from 0 to 1 | 0 到 1 的数
a number for the programmes' rules | 规则需要的数
a number {n} | {} 的数
a number | 数
finite numbers | 有限的数
numbers, truth values, text or times | 数字、真假、文字或时间
numbers, truth values or text | 数字、真假或文字
number, bool or text | 数字、真假或文字
numbers | 数字
text or whole numbers | 文字或整数
text or a whole number | 文字或整数
text, not empty | 文字，不能为空
text | 文字
true or false | true 或 false
a whole number | 整数
a list | 列表
a mapping of keys to values | “键: 值”
a date or time like {n} | 日期或时间，例如 {}
a date like {n} | 日期，例如 {}
a date such as {n} | 日期，例如 {}
a time such as {} | 时间，例如 {}
letters, digits, blanks, - and _ | 字母、数字、空格、- 和 _
a {n} as in training | 与训练时一样的 {}
CNY | 元数
every offer is for a person somewhere | 每个机会都属于某个人和某个位置
at least one in common | 至少有一个相同
at least one row of table {n} | 至少一行 {} 表的数据
at least one row to describe the fan base | 至少一行，才能描述粉丝
at least two | 至少两个
at least {n} of each | 每种至少 {}
at least {n} | 至少 {}
at most {n} MB | 最多 {} MB
at most {n} in all | 合计最多 {}
at most {n} | 最多 {}
{n} or more | {} 或更多
1 to {n} | 1 到 {}
the number of products | 即商品数
one number per row in each | 每行各有一个数
one number per curve | 每条曲线一个数
one per cell | 每个单元一个
one row of {n} parameters | 一行 {} 参数
one row per curve or point | 每条曲线或每个点一行
one row per person and placement | 每人每个投放位置一行
one per person and placement | 每人每个投放位置一行
packages told apart in a column {n} | 用列 {} 区分的不同套餐
a row per person and placement | 每人每个投放位置一行
one row a product | 每件商品一行
one type in every part | 各部分类型一致
the same columns in every part | 各部分的列相同
one kind | 同一种
one | 一个
distinct names | 互不相同的列名
the keys {} | 键 {}
users, exposures and orders | users、exposures、orders 三张表
users, exposures and orders as .parquet or .csv in it | 其中有 users、exposures、orders 的 .parquet 或 .csv
exposed_at in exposures | exposures 中有 exposed_at
the assignment of the scored users | 打过分的用户的归属
the ids that the plan was made for | 规划时的用户编号
those of this brief | 这份投放需求的
shown and held-out rows | 曝光行和对照行
eligible people | 可投放的人
a header line and data rows | 表头和数据行
a header line of column names | 一行列名的表头
column names | 列名
a brief or settings | 投放需求或设置
a file on a disk | 磁盘上的文件
a complete file | 完整的文件
a CSV or Parquet file or a folder of parts | CSV、Parquet 文件，或由多个部分组成的文件夹
.parquet or .csv files in the folder | 文件夹中有 .parquet 或 .csv 文件
CSV in UTF-8 or GBK (an Excel file ends in .xlsx or .xls) | UTF-8 或 GBK 的 CSV（Excel 文件以 .xlsx 或 .xls 结尾）
CSV in one of these encodings | 这两种编码之一的 CSV
CSV text | CSV 文本
Parquet data | Parquet 数据
Parquet | Parquet
{n}, {n} or {n} | {}、{} 或 {}
the salt as its first line | 第一行是盐值
a file that `targeting` wrote | `targeting` 写出的文件
a file of `targeting plan` | `targeting plan` 的文件
a directory written by {n} | {} 写出的目录
one written by {n} | {} 写出的目录
the output directory of {n} | {} 的输出目录
a data directory | 数据目录
a directory | 目录
# results of a command
{n}: {n} good, {n} bad rows ({}) | {}：{} 行可用，{} 行有误（{}）
{}, row {n}, column {n} | {} 第 {} 行 {} 列
{} ({n} such row) | {}（共 {} 行）
the first version of its name | 这个名称的第一个版本
it is the same model as the champion | 与冠军模型相同
the two cannot be compared ({r}) | 两者无法比较（{}）
{n} units to launch are in {r} | {} 个广告组在 {}
{n} products for the room are in {r} | 直播间的 {} 件商品在 {}
Scores of {n} users are in {r} | {} 个用户的得分在 {}
Offers to {n} people are in {r} | {} 个人的投放在 {}
Registered {n} | 已登记 {}
Would write scores into {n} | 会把得分写入 {}
nothing was done | 没有做任何事
Data directory and campaign.yaml are in {r} | 数据目录和 campaign.yaml 在 {}
a fan costs {n} yuan on average, more than the {n} that are kept of what it buys | 平均涨粉成本 {} 元，高于单粉可留的 {} 元
{}, {n}: {n} yuan not launched | {}，{}：{} 元未投放
{n} yuan a day, the platform takes {n} and more a unit | 每天 {} 元，平台每个广告组至少 {} 元
set min_ticket_cny | 请设 min_ticket_cny
every cell is below the platform's {n} yuan a unit and day ({}) | 每个单元都低于平台每个广告组每天 {} 元的下限（{}）
plan with min_ticket_cny, or set minimums | 请用 min_ticket_cny 规划，或设置 minimums
the plan spends nothing | 计划没有花费
there is nothing to launch | 没有可投放的
pack {} | 人群包 {}
not written | 未写出
interrupted | 已中断
terminated | 已终止
nothing half-written was left behind | 没有留下写了一半的文件
# places
segment, placement, spend_cny | segment、placement、spend_cny
constraint {n} | 规则 {}
limit {n} | 限制 {}
objective {n} | 目标 {}
placement {n} | 投放位置 {}
segment {n} | 人群 {}
column {n} | 列 {}
row {n} | 第 {} 行
run {n} | 运行 {}
schema {n} | 模式 {}
model {n} | 模型 {}
drift of {} | {} 的漂移
engine spark | 引擎 spark
policy value | 策略价值
plan to compare | 对比的计划
value of information | 信息价值
uplift | 增益
the brief | 投放需求
exposures | 曝光（exposures）
delivery | 报表（delivery）
curves | 曲线（curves）
orders | 订单（orders）
users | 用户（users）
{n} is {n} | {} 为 {}
is {n} | 为 {}
{n} of {n} | {1} 行中的 {0} 行
# columns that a console's report must have
'date' | “日期”（date）
'segment' | “人群”（segment）
'placement' | “投放位置”（placement）
'cost_cny' | “花费”（cost_cny）
"""
