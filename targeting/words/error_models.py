"""What can be wrong with models, judgements and curves, in English and Chinese; read as `error_frames` says."""

ZH = """
# models
cannot score made-up people ({}) | 无法给虚拟的人打分（{}）
cannot be loaded ({}) | 无法载入（{}）
train first, or check the name and the tracking store | 请先训练，或检查名称和跟踪库
is not a model (placements: expected the same everywhere, and at least one) | 不是模型（各处的投放位置应相同，且至少有一个）
holds no {n}, it was not saved by targeting train | 没有 {}，不是 `targeting train` 保存的
holds no {n}, so nobody can tell what it was | 没有 {}，无从得知原来是什么
was registered by a version that kept no digests | 由没有摘要的旧版本登记
{n} is no file of a model, or too large for one | {} 不是模型的文件，或过大
{n} is not text | {} 不是文本
{n} is not what was registered | {} 与登记时不同
extra file {n} has the name of a model file | 附加文件 {} 与模型文件重名
file {n} is missing (found {}) | 缺少文件 {}（现有 {}）
file {n} is missing | 缺少文件 {}
{n} has format {n} | {} 的格式为 {}
{n} holds no model | {} 中没有模型
{n} is missing, so it can score but not plan | 缺少 {}，可以打分，不能规划
{n} is no finite number for some people | 有些人的 {} 不是有限的数
the model is damaged | 模型已损坏
# measuring
a sample is empty | 有一个样本是空的
one arm is empty | 有一组是空的
an outcome is not a finite number | 有结果不是有限的数
{l} differ in length or are empty | {} 长度不同，或是空的
outcome_model {} | outcome_model 的形状为 {}
outcome {}, score {} and treated {} differ or are empty | outcome {}、score {}、treated {} 不一致，或是空的
propensity of a randomised row is not in (0, 1] | 随机行的概率不在 (0, 1] 之内
the policy's probabilities are negative or do not add up to one | 策略的概率为负，或合计不为一
the policy has shape {} | 策略的形状为 {}
the perfect uplift curve needs outcomes of 0 and 1 | 完美增益曲线要求结果为 0 或 1
use the Qini curve instead | 请改用 Qini 曲线
# curves and columns, one number
value of curve {n} decreases at spend_cny {n} | 第 {} 条曲线在 spend_cny {} 处下降
value decreases at spend_cny {n} | 在 spend_cny {} 处 value 下降
more money cannot buy less | 钱多不会买得更少
two points have the same spend_cny | 有两个点的 spend_cny 相同
spend_cny of curve {n} must increase from point to point | 第 {} 条曲线的 spend_cny 应逐点增加
curve {n} has a point that is negative, NaN or infinite | 第 {} 条曲线有一个点为负或不是有限的数
curve {n} needs at least two points ({}) | 第 {} 条曲线至少要有两个点（{}）
spend_cny and value must be finite numbers >= 0 | spend_cny 和 value 应为不小于 0 的有限的数
shape of power curve {n} is above 1 | 第 {} 条幂曲线的 shape 大于 1
slope of a power curve is {n} | 幂曲线的 slope 为 {}
family {n} is unknown | 未知的曲线种类 {}
curve family {n} | 曲线种类 {}
{n} has shape {} | {} 的形状为 {}
spend_cny of row {n} is {n} | 第 {} 行的 spend_cny 为 {}
spend_cny of {} is {n} | {} 的 spend_cny 为 {}
{n} of curve {n} is {n} | 第 {1} 条曲线的 {0} 为 {2}
{n} of user {n} for {n} is {n} | 用户 {1} 在 {2} 的 {0} 为 {3}
{n} is {n} on {n} | {2} 的 {0} 为 {1}
{n} {n} is greater than {n} {n} | {} {} 大于 {} {}
{n} {n} is not in the table | 表中没有 {} {}
placement {n} is not in the table | 表中没有投放位置 {}
level is {n} | level 为 {}
min_audience {n} and max_segments {n} must be 1 or more | min_audience {} 和 max_segments {} 都应不小于 1
"""
