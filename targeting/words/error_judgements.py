"""What a campaign did and what past plans would have earned, in English and Chinese; read as `error_frames` says."""

ZH = """
# promised and realised
spend_cny: promised {} | 花费（元）：承诺 {}
new_fans: promised {} | 涨粉数：承诺 {}
incremental_fans: promised {} | 增量涨粉：承诺 {}
new_fan_gmv_cny: promised {} | 新粉成交额（元）：承诺 {}
cost_per_fan_cny: promised {} | 涨粉成本（元）：承诺 {}
cost_per_incremental_fan_cny: promised {} | 增量涨粉成本（元）：承诺 {}
roi: promised {} | 投产比：承诺 {}
{} (80 %: {} to {}), realised {} | {}（80% 区间：{} 至 {}），实际 {}
{} ({} to {}), realised {} | {}（{} 至 {}），实际 {}
{}, realised {} | {}，实际 {}
{}, projected to the horizon {} | {}，推算到期末 {}
{} (+- {} by chance) | {}（偶然误差 ±{}）
unknown | 未知
# why they differ
the difference of {} yuan comes from: {} | 差额 {} 元来自：{}
the difference of {} fans comes from: {} | 差额 {} 个粉丝来自：{}
the difference of {} impressions comes from: {} | 差额 {} 次曝光来自：{}
spend +{} | 花费 +{}
spend -{} | 花费 -{}
price +{} | 单价 +{}
price -{} | 单价 -{}
hazard +{} | 涨粉率 +{}
hazard -{} | 涨粉率 -{}
yield +{} | 产出 +{}
yield -{} | 产出 -{}
value +{} | 单粉价值 +{}
value -{} | 单粉价值 -{}
# as time goes on
ROI by attribution window: {} | 各归因窗口的投产比：{}
T{n} {n} ({n} % over) | T{} 为 {}（已过 {}%）
T{n} {n} | T{} 为 {}
new fans still following: {} | 新粉仍在关注：{}
day {n} {n} % of {} | 第 {} 天的留存 {}%，人数 {}
day {n} unknown | 第 {} 天未知
{} (no snapshot of a new fan between {n} and {n} days after the follow) | {}（关注后 {} 至 {} 天没有新粉的快照）
# drift
drift of curves: {}, {n} of {n} moved ({}) | 曲线漂移：{}，{2} 条中有 {1} 条变动（{3}）
drift of curves: {}, {n} of {n} moved | 曲线漂移：{}，{2} 条中有 {1} 条变动
drift of features: {}, {n} of {n} moved ({}) | 特征漂移：{}，{2} 个中有 {1} 个变动（{3}）
drift of features: {}, {n} of {n} moved | 特征漂移：{}，{2} 个中有 {1} 个变动
drift of scores: {}, {n} of {n} moved ({}) | 得分漂移：{}，{2} 个中有 {1} 个变动（{3}）
drift of scores: {}, {n} of {n} moved | 得分漂移：{}，{2} 个中有 {1} 个变动
stable | 稳定
watch | 留意
act | 需要处理
{r}: over {n}: {n} % then, {n} % now | {} 高于 {}：当时 {}%，现在 {}%
{r}: up to {n}: {n} % then, {n} % now | {} 不高于 {}：当时 {}%，现在 {}%
{r}: {r} % then, {n} % now | {}：当时 {}%，现在 {}%
{r}: {n} % against the curve | {}：与曲线相差 {}%
{r}: {n} came where {n} was promised | {}：承诺 {2}，实际 {1}
{r}: the column is gone | {}：该列已不存在
# the coin
the coin's verdict on the plan: {n} new_fans a person and day (80 %: {n} to {n}), too little was tried to rely on it | 随机行对计划的判断：每人每天 涨粉数 为 {0}（80% 区间：{1} 至 {2}），试过的太少，不足为凭
the coin's verdict on the plan: {n} new_fan_gmv_cny a person and day (80 %: {n} to {n}), too little was tried to rely on it | 随机行对计划的判断：每人每天 新粉成交额（元） 为 {0}（80% 区间：{1} 至 {2}），试过的太少，不足为凭
the coin's verdict on the plan: {n} new_fans a person and day (80 %: {n} to {n}), from {n} rows with any: a hint at most | 随机行对计划的判断：每人每天 涨粉数 为 {0}（80% 区间：{1} 至 {2}），只有 {3} 行有结果，至多是提示
the coin's verdict on the plan: {n} new_fan_gmv_cny a person and day (80 %: {n} to {n}), from {n} rows with any: a hint at most | 随机行对计划的判断：每人每天 新粉成交额（元） 为 {0}（80% 区间：{1} 至 {2}），只有 {3} 行有结果，至多是提示
the coin's verdict on the plan: {n} new_fans a person and day (80 %: {n} to {n}) | 随机行对计划的判断：每人每天 涨粉数 为 {0}（80% 区间：{1} 至 {2}）
the coin's verdict on the plan: {n} new_fan_gmv_cny a person and day (80 %: {n} to {n}) | 随机行对计划的判断：每人每天 新粉成交额（元） 为 {0}（80% 区间：{1} 至 {2}）
ranking in {n} by {n}: {}, Qini {n} (95 %: {n} to {n}) | {} 按 {} 排序：{}，Qini {}（95% 区间：{} 至 {}）
heterogeneity found | 人与人有差别
no exploitable heterogeneity found | 没有可用的差别
ranked the wrong way round | 排反了
half of the money ({} yuan) on the best ranked in {} adds {} {n} (95 %: {} to {}), all of it {} | 把一半的钱（{} 元）花在 {} 排名最前的人，增加 {3} {2}（95% 区间：{4} 至 {5}），全花则 {6}
the coin chose for {} person-days of {} people | 随机决定了 {1} 人的 {0} 个人日
the coin never chose {}: what it would bring is not known | 随机从未选过 {}：它会带来什么无从得知
# notes on a judgement
{} exposures ({} yuan) went to people outside the plan | {} 次曝光（{} 元）投给了计划之外的人
{} exposures ({} yuan) went to {}, where the plan has nothing | {} 次曝光（{} 元）投在 {}，计划在那里没有预算
{} follows have no time: they are taken to be of their impression's | {} 次关注没有时间：按曝光的时间计
the plan's claim was observational, so a difference may also be an effect that was never caused | 计划的结论是观察性的，因此差别也可能是本来就没有的效果
{} of {} new fans are younger than {n} days: {n} % of the projected GMV is observed, the rest is projected from older fans | {1} 个新粉中有 {0} 个不足 {2} 天：推算成交额的 {3}% 已经观察到，其余由更早的粉丝推算
no fan in the data is older than {n} days: what comes later is not in the projection | 数据中没有早于 {} 天的粉丝：更晚的成交不在推算之内
orders have dates but no hours: they count from the day after the follow, T0 holds only those of follows without hours | 订单只有日期没有时刻：从关注次日起计，T0 只含没有时刻的关注
{} of {} exposures of {} are not of the plan's days ({} to {}) but of {} to {}; they are judged as its own | {2} 的 {1} 次曝光中有 {0} 次不在计划的日期（{3} 至 {4}），而在 {5} 至 {6}；按计划的曝光判断
no shown exposure carries campaign_id {n}: everything shown from {} to {} is judged, which is of {} | 没有曝光带有 campaign_id {}：判断 {} 至 {} 的全部曝光，它们属于 {}
purchases count {n} days after the follow, the plan's promise is of {n}: the two differ for that alone | 购买计关注后 {} 天，计划承诺的是 {} 天：单凭这一点两者就不同
{} of {} exposures of the campaign are later than {} and not known yet | 投放的 {1} 次曝光中有 {0} 次晚于 {2}，尚不知道
no row of the report carries campaign_id {}: the campaign's days are judged | 报表没有带 campaign_id {} 的行：按投放的日期判断
the report names no campaign and the brief no start: all of its rows are judged | 报表没有投放的名称，投放需求没有开始时间：判断报表的全部行
the plan counted orders as new fans, so orders are compared | 计划把订单算作新粉，因此比较订单
{n} is empty in {n} of {n} rows: taken as 0 | {2} 行中有 {1} 行的 {0} 为空：按 0 计
the report has no {r}: that part of the promise is not judged | 报表没有 {}：这部分承诺不作判断
a report counts what the console attributes in its own window: windows, retention and who would have followed anyway need user logs | 报表按后台自己的窗口归因：归因窗口、留存和本来就会关注的人需要用户日志
{} yuan went to {n} cells outside the plan | {} 元投在计划之外的 {} 个单元
about {} (+- {}) of the {} new fans would have followed anyway (rate of {} held-out person-days) | {2} 个新粉中约有 {0}（±{1}）个本来就会关注（按 {3} 个对照人日的比率）
before they followed, these fans bought {n} yuan each per day: at that rate {} yuan of the realised GMV would have come anyway, which the promise does not count | 关注之前，这些粉丝每人每天购买 {} 元：按此速度，实际成交额中有 {} 元本来就会有，承诺不含这部分
# past windows
all windows, new_fans: promised {} | 所有窗口，涨粉数：承诺 {}
from {n}, new_fans: promised {} | 自 {}，涨粉数：承诺 {}
all windows, new_fan_gmv_cny: promised {} | 所有窗口，新粉成交额（元）：承诺 {}
from {n}, new_fan_gmv_cny: promised {} | 自 {}，新粉成交额（元）：承诺 {}
all windows, spend_cny: promised {} | 所有窗口，花费（元）：承诺 {}
from {n}, spend_cny: promised {} | 自 {}，花费（元）：承诺 {}
{} (80 %: {} to {}; {}): {} | {}（80% 区间：{} 至 {}；{}）：{}
{} ({n} events): {} | {}（{} 个事件）：{}
{n} events | {} 个事件
1 event | 1 个事件
nothing | 无
agrees within the errors | 在误差之内相符
more came than was promised | 比承诺的多
less came than was promised | 比承诺的少
at the prices of the logged pressure | 按日志中竞价压力的价格
nothing was promised | 没有承诺
cannot be told from {n} events | {} 个事件无从判断
cannot be told: the coin hardly tried what the plan would do | 无从判断：随机行几乎没有试过计划要做的事
cannot be told | 无从判断
follows of randomised shown rows: {} | 随机曝光行的关注：{}
buyers among fans the coin won: {} | 随机带来的粉丝中的买家：{}
buyers among fans ranked delivery won (picked by the platform, so more may come): {} | 平台排序投放带来的粉丝中的买家（平台挑选过，可能更多）：{}
{} came where {} were predicted, ratio {n} (95 %: {n} to {n}) | 预测 {1}，实际 {0}，比值 {2}（95% 区间：{3} 至 {4}）
{n} of {n} groups are off by more than chance | {1} 组中有 {0} 组的偏差超出偶然
calibration error {n}, by chance alone {n} | 校准误差 {}，仅凭偶然为 {}
{n} window from {n} to {n} | {} 个窗口，{} 至 {}
{n} windows from {n} to {n} | {} 个窗口，{} 至 {}
purchases count {n} days after the follow | 购买计关注后 {} 天
the brief's {n} days would not be over within the data | 投放需求的 {} 天超出了数据的范围
{} people whose snapshot is later than a window's start were left out of it | {} 人的快照晚于窗口的开始，不计入该窗口
change_limit was left out: a past window has no last plan | 略去 change_limit：过去的窗口没有上一份计划
{n} windows had too few randomised rows to be judged | {} 个窗口的随机行太少，无从判断
realised GMV is all that the fans bought after they followed, the promise only what the follow adds | 实际成交额是粉丝关注后的全部购买，承诺只含关注带来的增量
the plans claimed: {} | 各计划的结论：{}
causal | 因果
observational | 观察性
"""
