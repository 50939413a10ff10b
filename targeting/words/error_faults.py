"""What can be wrong, in English and Chinese: `error_frames` says how a line is read."""

ZH = """
# whole sentences
how many people the curves reach is not known, so impressions per person are not | 不知道曲线触达多少人，因此不知道人均曝光次数
the curves give one value, which the objective calls {n}, so {n} is not known | 曲线只有一个数值，目标称之为 {}，因此 {} 未知
change_limit compares with last_plan, which is missing | change_limit 要与上次的计划相比，而这里没有
risk needs draws of the curves and there are none (curves supplied without uncertainty) | 风险规则需要曲线的抽样，而这里没有（曲线由外部提供，没有不确定性）
risk needs draws of the curves and there are none | 风险规则需要曲线的抽样，而这里没有
one target asks for the cheapest plan, the other for as much as pays back | 一个目标求最省钱，另一个求尽量多且能回本
no spend reaches target {n} of {n} per CNY{}: the best average return found is {n} | 任何花费都达不到目标 {} 每元 {}{}：找到的最好平均回报为 {}
lower the target below that | 请把目标调到它以下
{n} of {} per CNY | {} 每元 {}
least spend {n} CNY is above the most it may have ({n} CNY) | 最少花费 {} 元，高于允许的最多花费（{} 元）
set by {} | 由 {} 规定
no plan satisfies {} together | 没有计划能同时满足 {}
the solver found no plan, but every constraint can be kept | 没有找到计划，但每条规则都可以遵守
raise its time limit | 请放宽时间限制
no plan near the best one keeps {n} in whole 厘 (0.001 CNY): {r} | 最优计划附近没有以整厘计仍遵守 {} 的计划：{}
widen its limits or raise the budget | 请放宽它的范围，或提高预算
constraint {n} ({n}) is about the cells of a plan, not about people one by one | 规则 {}（{}）针对计划的单元，不针对逐个的人
leave it out of the brief for `assign` | `assign` 的投放需求中请略去它
limits {} cannot hold together, whoever is chosen | 无论选谁，限制 {} 都不能同时满足
no choice of whole people was found that keeps {n} | 没有找到遵守 {} 的整人选择
limit {n} asks for at least {n} {}, and all offers that fit the other limits reach {n} together | 限制 {} 要求至少 {} {}，而符合其他限制的全部机会合计只有 {}
limit {n} shares grants, which are not given to people one by one | 限制 {} 分配的是赠送流量，而它不按人发放
limit {n} selects by {n}, and the table has no column {n} | 限制 {} 按 {} 选择，而表中没有列 {}
the brief says {n}, the model was trained for {n} | 投放需求为 {} 天，模型按 {} 天训练
the brief names {}, {n} has {} | 投放需求写的是 {}，{} 里有 {}
{n} days, but the oldest new fan in the logs was watched for {n} | 要求 {} 天，但日志里最早的新粉丝只观察了 {} 天
what fans buy so much later cannot be told | 之后买什么无从得知
set at most {n}, or give longer logs | 最多设为 {}，或给出更长的日志
no follower in the logs has a kept order, so the value of a fan is unknown | 日志里没有新粉丝有未退款的订单，单粉成交额未知
plan for new_fans or live_entries, or give orders | 请按 new_fans 或 live_entries 规划，或给出订单
objective {n} needs column {n}, which the report does not have above 0 | 目标 {} 需要列 {}，而报表里没有大于 0 的值
objective profit needs the margin of campaign {n} | 目标为利润时需要计划 {} 的毛利率
objective profit needs {gross_margin: ..., fee_rate: ...} | 目标为利润时需要 gross_margin 毛利率和 fee_rate 费率
objective profit needs economics: {} | 目标为利润时需要 economics：{}
no row of the brief's placements {} | 没有投放需求中投放位置 {} 的行
no live entry is known in {} | {} 里没有直播间进入数
give entered_live (logs) or live_entries (report) | 请给出 entered_live（日志）或 live_entries（报表）
{n} has no curve | {} 没有曲线
{n} is not among those that were learned ({}) | {} 不在学到的投放位置（{}）之中
take it out of the brief or give its curve | 请从投放需求中删去，或给出它的曲线
take it out of the brief or train on logs that have it | 请从投放需求中删去，或用含有它的日志训练
none of the selected cells has live entries | 所选单元都没有直播间进入
min_cny {n} is above the budget {n}, so no cell could ever be used | min_cny {} 高于预算 {}，任何单元都用不上
min_share {n} for each of {n} adds up to more than everything | 要求 {1} 个各占 min_share {0}，合计超过全部
no row of campaign_id {}{} was shown | 计划 {}{} 没有曝光的行
no row of campaign_id {} or of the campaign's days | 没有计划 {} 或投放日期的行
none of its cells ({}) is one of the plan's ({}) | 它的单元（{}）都不在计划的单元（{}）之中
none of the campaign's {n} shown rows is of a person of the plan (first user_id {n}, the plan's {n}) | 这次投放的 {} 行曝光中没有计划里的人（第一个 user_id {}，计划的是 {}）
none of its segments x placements exists now | 其中的人群和投放位置现在都不存在
it has segments {}, now there are {} | 它的人群为 {}，现在的是 {}
promises live entries only, which a report is not yet held against | 只承诺直播间进入数，目前还不能用报表检验
has none of {r}, which the plan promised | 没有计划所承诺的 {}
has no segments.parquet (made from delivery or supplied curves), so logged users cannot be placed | 没有 segments.parquet（由报表或外部曲线规划），日志里的用户无法归入人群
was made for people, but its segments.parquet is not there (a copy from MLflow has none) | 按人规划，但缺少 segments.parquet（MLflow 里的副本没有它）
is judged by its delivery report, which knows no people | 由投放报表检验，其中没有用户
leave out --trained-on and --later, or give a data directory with users, exposures and orders | 请去掉 --trained-on 和 --later，或给出含有 users、exposures、orders 的数据目录
no window has enough randomised rows to judge a plan by | 没有哪段时间有足够的随机行来检验计划
a backtest needs rows with randomized = true, shown and held out, in the days that are judged | 回测需要检验日期内 randomized 为 true 的曝光行和对照行
cover {n} days, exposures {n} | 数据共 {} 天，曝光 {} 天
{n} of {n} days after {n} days to learn from, and a day to buy, do not fit | 先学习 {2} 天，再有 {0} 段各 {1} 天，还要留一天购买，放不下
take fewer or shorter windows, or give more data | 请减少或缩短时间段，或给出更多数据
every snapshot_at is after {} (the first is {}) | 所有 snapshot_at 都晚于 {}（最早 {}）
the features would know the days they are to predict | 特征会含有要预测的日子
give a snapshot from before the windows | 请给出这些时间段之前的快照
all {n} rows are of people who followed already (is_fan of users, at or before the exposure): nobody could be won | 全部 {} 行都属于已关注的人（users 的 is_fan，曝光之时或之前），无人可涨
is_fan as of snapshot_at, before the exposures | snapshot_at 时（曝光之前）的 is_fan
every row is a held-out one (placement none) | 每一行都是对照行（投放位置为 none）
nothing can be learned | 无从学习
most rows are of the first day, so no earlier ones are left to learn from | 大多数行都在第一天，没有更早的可供学习
placement {n} has no shown rows before {} (found {}) | 投放位置 {} 在 {} 之前没有曝光的行（现有 {}）
some of every placement of the brief | 投放需求的每个投放位置都有一些
add its logs or remove it from the brief | 请补充它的日志，或从投放需求中删去
{n} shown rows before {} | {1} 之前只有 {0} 行曝光
{n} follows in {n} rows | {1} 行中只有 {0} 次关注
{n} follows since {} | {1} 以来只有 {0} 次关注
at least {n} to learn who follows | 至少 {} 次才能学习谁会关注
at least {n} to compare two models | 至少 {} 次才能比较两个模型
{n} shown and {n} held-out randomised rows | 随机行中曝光 {} 行、对照 {} 行
they answer different questions | 两者回答的问题不同
the champion has {}, the challenger {} | 冠军模型为 {}，新模型为 {}
champion {n} cannot be read, so nothing can be compared with it ({}) | 冠军模型 {} 无法读取，无从比较（{}）
nothing was registered | 没有登记任何模型
restore its files, or delete the alias {n} of {n} to begin anew | 请恢复其文件，或删除 {1} 的别名 {0} 重新开始
no row has cost_cny above 0, so nothing tells what money buys | 没有一行花费大于 0，无从得知钱能买到什么
no row has a cost above 0 | 没有一行花费大于 0
no row has spend | 没有一行有花费
cost_cny (花费) above 0 | 大于 0 的花费（cost_cny）
paid impressions to learn prices from | 有付费曝光可供学习价格
no outcome ({}) is above 0 in every placement | 没有哪个结果列（{}）在每个投放位置都大于 0
one that money bought everywhere | 处处都有花钱买到的结果
add it or leave the placements without it out | 请补上，或略去没有它的投放位置
has no paid {n} | 没有付费的 {}
a day with cost and delivery | 有花费和投放的日子
log such a day or take the placement out of the brief | 请补上这样的日子，或从投放需求中删去这个投放位置
nobody is eligible, every row has is_fan true | 没有可投放的人，所有行的 is_fan 都为 true
nobody is eligible (every scored user is a fan already) | 没有可投放的人（所有打过分的用户都已是粉丝）
nobody can be offered anything | 没有可投放的人
there is no segment to plan for | 没有可规划的人群
{n} of {n} rows are bad, more than {n} of the table | {1} 行中有 {0} 行有误，超过全表的 {2}
mend the file, or raise max_rejected_share to go on without them | 请修改文件，或调高 max_rejected_share 略去这些行
none of {n} rows of table {n} is usable | 表 {1} 的 {0} 行全都不可用
no row of table users is usable | 表 users 没有可用的行
{n} of them: {} (first: row {n}, which holds {}) | 其中 {} 行 {}（首见于第 {} 行，内容为 {}）
{n} of them: {} (first: row {n}) | 其中 {} 行 {}（首见于第 {} 行）
{} ({n} bad rows in all) | {}（共 {} 行有误）
{} ({n} bad rows) | {}（共 {} 行有误）
{} ({n} such rows) | {}（共 {} 行）
{} ({n} more problems) | {}（另有 {} 处问题）
curves are used whole or not at all | 曲线要么整份使用，要么不用
{n} of {n} users of {n} have no scores | {2} 的 {1} 个用户中有 {0} 个没有得分
was scored from other users than {n} holds now | 得分所依据的用户与 {} 现有的不同
no row's user_id is in {n} (first: {}) | 没有一行的 user_id 在 {} 之中（第一个：{}）
the same ids in both | 两边的编号一致
columns differ from {n} ({}) | 列与 {} 不同（{}）
columns {n} and {n} both mean {n} | 列 {} 和 {} 都表示 {}
column {n} holds {n}, in {n} it holds {n} | 列 {} 的类型是 {}，在 {} 里是 {}
column {n} appears twice in the header | 表头中列 {} 出现两次
column {n} stands twice | 列 {} 出现两次
column {n} is missing among {} | 现有列 {1} 中没有 {0}
column {n} is missing | 缺少列 {}
no column {n} among {} | 现有列 {1} 中没有 {0}
required columns {} of table {n} missing | 表 {1} 缺少必需的列 {0}
required column {} of table {n} missing | 表 {1} 缺少必需的列 {0}
{n} (nearest: {n}) | {}（最接近的是 {}）
table {n} is missing | 缺少表 {}
table {n} is there twice ({}) | 表 {} 有两份（{}）
edited after the plan was written: {} | 计划写出之后被改动：{}
edited or damaged since it was registered | 登记之后被改动或损坏
edited or damaged since it was saved | 保存之后被改动或损坏
what the plan promises is of the files as they were | 计划的承诺以原文件为准
one of the two was changed | 两者之一被改动
one of them was changed | 其中之一被改动
spends {n} yuan, plan.json {n} | 花费 {} 元，plan.json 为 {} 元
the allocation is worth {n} in it, plan.json says {n} | 其中这份分配值 {}，plan.json 为 {}
{l} do not fit each other ({}) | {} 互不相符（{}）
its logged allocation.csv was edited ({}) | 记录的 allocation.csv 被改动（{}）
{n} was edited or is of another version ({}) | {} 被改动，或属于另一版本（{}）
{n} ({n}) has changed since | {}（{}）后来有改动
a replay needs the same input | 重放需要相同的输入
the recorded settings do not fit this version: {r} | 记录的设置与这个版本不符：{}
a run of {n} made no plan | {} 的运行没有计划
give a run of {n} or {n} | 请给出 {} 或 {} 的运行
names no model version | 没有模型版本
it did not come as far as registering one | 它没有进行到登记模型那一步
not found in {n}, or not a run of `targeting` | 在 {} 中找不到，或不是 `targeting` 的运行
give the run_id printed by {n} or {n} and the same --tracking-uri | 请给出 {} 或 {} 打印的 run_id，以及相同的 --tracking-uri
tracking store {n}: cannot be used ({}){}; check --tracking-uri or MLFLOW_TRACKING_URI{} | 跟踪库 {}：无法使用（{}）{}；请检查 --tracking-uri 或 MLFLOW_TRACKING_URI{}
another targeting job is writing there | 另一个任务正在写入
wait until it is done | 请等它完成
holds the input {n}, which the result would replace | 含有输入 {}，结果会将它替换
would be read as the table {n} of the data directory {n} | 会被当作数据目录 {1} 的表 {0} 读入
holds files this program did not write ({}), or not as they are now | 含有不是本程序写出或后来改动过的文件（{}）
nothing was changed | 没有改动任何东西
was changed while it was read | 读取时被改动
run again when nobody writes to it | 请在无人写入时重新运行
run again when nobody writes | 请在无人写入时重新运行
a finished part was changed or damaged | 已完成的部分被改动或损坏
a finished part cannot be read | 已完成的部分无法读取
is not the table that `targeting score` wrote ({n} {n}, expected {n}) | 不是 `targeting score` 写出的表（{} 为 {}，应为 {}）
is not the table that `targeting score` wrote | 不是 `targeting score` 写出的表
remove {n} and score again | 请删除 {}，重新打分
a score column has another type: {r} | 得分列的类型不符：{}
the table is empty | 表是空的
a user has two rows for placement {n} | 有用户在投放位置 {} 有两行
user {n} has two rows for {n} | 用户 {} 在 {} 有两行
some users have no row for placement {n} | 有用户没有投放位置 {} 的行
has no scores for placement {n} of option {n} | 没有方案 {1} 的投放位置 {0} 的得分
placement {n} is not one of the brief's ({}) | 投放位置 {} 不在投放需求（{}）之中
placement {n} of option {n} has no price | 方案 {1} 的投放位置 {0} 没有价格
placement {n} is for people who are held out | 投放位置 {} 属于对照组的人
everybody may get no offer | 任何人都可以不投
column {n} holds an infinite number | 列 {} 含有无穷大
column {n} holds {} values | 列 {} 的类型是 {}
feature column {n} holds {} | 特征列 {} 的类型是 {}
column {n} holds {} | 列 {} 的内容是 {}
{n} feature columns | 有 {} 个特征列
{n} people refused | 有 {} 个人不合格
knows no people, so orders cannot tell its segments' taste | 没有用户，订单无法说明各人群的偏好
this plan knows no people (it was made from curves or a console's report, or saved without scores) | 这份计划没有用户（由曲线或后台报表规划，或保存时没有得分）
the plan has {n} slots, people are chosen for one | 计划有 {} 个时段，选人只针对一个
nobody is scored for a segment and placement of this plan | 没有人在这份计划的人群和投放位置上有得分
intensities are {} | intensities 为 {}
holds scores but no features, so nobody's likeness can be told | 只有得分没有特征，无从得知谁与谁相似
was read back from a saved plan | 是从保存的计划读回的
everybody is a fan or a seed, so nobody is left to rank | 每个人都是粉丝或种子，没有可排序的人
{n} of {n} seeds are among the {n} people of the audience | {1} 个种子中只有 {0} 个在受众的 {2} 人之中
a row ({n}, {n}) names no cell of the plan | 一行（{}，{}）不是计划中的单元
a row names no cell of the plan | 有一行不是计划中的单元
has no cell {n}, {n} | 没有单元 {}，{}
its cells are {r} | 现有单元 {}
segment {n}, placement {n} is not in this plan | 人群 {}、投放位置 {} 不在这份计划中
segment {n}, placement {n} has no {} | 人群 {}、投放位置 {} 没有 {}
segment {n} is not rated | 人群 {} 没有评分
no user count for segment {n} | 人群 {} 没有人数
no scored user has a segment | 打过分的用户都没有人群
curves fitted without user counts cannot be rescaled to another audience | 没有人数的曲线无法换算到另一批受众
{n} categories with at most {n} each have no {n} products | {} 个类目每个最多 {} 件，凑不出 {} 件商品
product {n} stands twice | 商品 {} 出现两次
the curves came without uncertainty, so there is nothing to learn | 曲线没有不确定性，没有可学的
the market has no draws | 市场没有抽样
the market has no cells | 市场没有单元
nothing to allocate | 没有可分配的
a lower limit is negative | 下限为负
{n} has NaN or infinity at cell {n} | {} 在单元 {} 不是有限的数
limits must hold {n} numbers | 限制应有 {} 个数
these curves say what money is worth and know no impressions | 这些曲线说的是钱的价值，没有曝光数
selects no cell | 没有选中任何单元
no cell has {} together | 没有单元同时符合 {}
{n} {} matches no cell | 没有 {} 为 {} 的投放单元
a plan can have one risk floor | 一份计划只能有一条风险下限
{} whose {} {} reaches {}: the safest reaches {} | {} 的 {} {} 为 {}：最稳妥的也只有 {}
lower the floor of {n} by {n} | 请把 {} 的下限调低 {}
# files
skipped {n} lines above the header | 略过表头之前的 {} 行
skipped {n} line above the header | 略过表头之前的 {} 行
line {n} column {n} | 第 {} 行第 {} 列
not a workbook that can be read ({}) | 无法读取的工作簿（{}）
not a Parquet file (no PAR1 mark) | 不是 Parquet 文件（没有 PAR1 标记）
corrupt Parquet ({}) | Parquet 文件已损坏（{}）
not a text file | 不是文本文件
neither UTF-8 nor GBK text | 既不是 UTF-8 也不是 GBK 文本
begins as UTF-16, and cannot be read as utf-16 text | 开头是 UTF-16，却无法按 UTF-16 读取
is not valid YAML: {r} | 不是有效的 YAML：{}
cannot be read as Parquet ({}) | 无法按 Parquet 读取（{}）
cannot be read as {n} text: {r} | 无法按 {} 文本读取：{}
cannot be read ({}) | 无法读取（{}）
{n} cannot be read: {r} | {} 无法读取：{}
cannot be read: {r} | 无法读取：{}
cannot be read | 无法读取
cannot be written: {r} | 无法写入：{}
cannot be used: {r} | 无法使用：{}
cannot be used ({}) | 无法使用（{}）
cannot read the {n} as a frame: {r} | 无法把 {} 当作表读取：{}
[Errno {n}] {k}: {n} | {1}
No such file or directory | 没有这个文件或目录
Permission denied | 没有权限
No space left on device | 磁盘已满
Read-only file system | 磁盘只读
Is a directory | 是目录，不是文件
File name too long | 路径过长
Address already in use | 端口已被占用
the file is empty | 文件为空
the first line is empty | 第一行为空
every sheet is empty | 所有工作表都是空的
no data rows | 没有数据行
no part files | 没有分块文件
both CSV and Parquet parts | 同时有 CSV 和 Parquet 的分块
unknown extension {n} | 未知的文件类型 {}
unknown extension | 没有扩展名
is larger than {n} MB | 大于 {} MB
holds {n} MB once unpacked | 解压后有 {} MB
is a link that leads to itself | 是指向自身的链接
is not a file that can be read twice | 不是可以反复读取的文件
{n} is no name of a file | {} 不是文件名
is no plain CSV | 不是简单的 CSV
is no text | 不是文本
has cells over several lines | 有跨行的单元格
its end is blank | 末尾是空白
has no rows | 没有行
is empty, or its first line has no end | 是空的，或第一行没有结尾
has dates or numbers that only their column explains | 有只看整列才能读懂的日期或数字
has follows without an hour | 有没有钟点的关注
{n} is read in one way here and in another there | {} 前后的读法不一致
is not a saved market ({}) | 不是保存的市场（{}）
is not a {n} ({}) | 不是 {}（{}）
is a file | 是文件，不是目录
is missing | 缺失
missing or damaged | 缺失或损坏
is empty | 是空的
no such directory | 没有这个目录
no such file | 没有这个文件
no scores.parquet | 没有 scores.parquet
--port {n} | --port {}
packs.code {n} needs a salt | packs.code {} 需要盐值
{n} is empty | {} 是空的
shows nothing | 没有展示任何内容
no user | 没有用户
no event has a time | 没有带时间的事件
has no price of limit {n} | 没有限制 {} 的价格
has no id | 没有编号
{} has one point | {} 只有一个点
{} has {n} rows | {} 有 {} 行
"""
