"""What to do about an error, in English and Chinese: `error_frames` says how a line is read."""

ZH = """
# what was found
found nothing | 此处为空
# what to do
put a console's report into one, as delivery.csv | 请把后台报表放进一个目录，命名为 delivery.csv
give another one, e.g. {} | 请换一个，例如 {}
give a UTF-8 YAML file | 请给出 UTF-8 的 YAML 文件
give the report that covers the campaign | 请给出涵盖这次投放的报表
give data that covers the campaign | 请给出涵盖这次投放的数据
give a data directory that holds a delivery report of the campaign | 请给出含有这次投放报表的数据目录
give the directory that `targeting plan` wrote | 请给出 `targeting plan` 写出的目录
give a report of days that were paid for | 请给出有花费的日子的报表
give people who do not follow yet | 请给出尚未关注的人
give users with is_fan false | 请给出 is_fan 为 false 的用户
give the user_id of buyers, as a list or a column user_id | 请以列表或 user_id 列给出买家的编号
give the new one its own model_name | 请给新模型另起 model_name
give the {n} of an earlier run | 请给出先前运行的 {}
give a file whose first line it is | 请给出第一行为盐值的文件
give one for every segment | 请给出每个人群的人数
give rows on both sides | 请给出两边的行
give more people | 请给出更多的人
give more data | 请给出更多数据
give more | 请给出更多
give it | 请给出
give the path of an allocation | 请给出分配文件的路径
score users who are not fans yet | 请给尚未关注的用户打分
score the seeds with the people, or give more | 请把种子和其他人一起打分，或给出更多
score and segment with the planner that learned it | 请用学习它的规划器打分和分群
score every placement | 请给每个投放位置打分
score that placement, or take the option away | 请给这个投放位置打分，或删去这个方案
score these users again | 请给这些用户重新打分
score again | 请重新打分
rate products with its orders | 请用它的订单给商品评分
train again | 请重新训练
plan again | 请重新规划
assign anew | 请重新分配
run {n} again | 请重新运行 {}
run again | 请重新运行
plan from logs or a console's report | 请用日志或后台报表规划
plan from logs | 请用日志规划
plan with Planner.plan(campaign, audience) | 请用 Planner.plan(campaign, audience) 规划
plan without | 请不分时段规划
make it again with Planner.audience(users) | 请用 Planner.audience(users) 重新生成
make it with Planner.audience(users) | 请用 Planner.audience(users) 生成
restore its files | 请恢复其文件
restore the files | 请恢复文件
restore them, or plan again | 请恢复，或重新规划
restore them | 请恢复
restore it | 请恢复
or train again | 或重新训练
or plan again | 或重新规划
or restore them | 或恢复原文件
change the brief or train again | 请修改投放需求，或重新训练
change metric or objective | 请更改 metric 或目标
change one of them | 请更改其中一个
or change the objective | 或更改目标
add it or change the objective | 请补上这一列，或更改目标
add more days of logs or check column followed | 请补充更多天的日志，或检查 followed 列
add more days of logs | 请补充更多天的日志
add them to the brief | 请写进投放需求
add it to the table | 请在表中补上
add it there, or take the option away | 请在那里补上，或删去这个方案
add yuan an impression | 请补上每次曝光的元数
add or rename it | 请补上或改名
add or rename them | 请补上或改名
add it | 请补上
use its names | 请使用其中的名称
name a placement or segment of the plan | 请写计划中的投放位置或人群
select a placement with a live step or take the constraint away | 请选择有进入步骤的投放位置，或删去这条规则
fit curves with draws or take the constraint away | 请用有抽样的曲线，或删去这条规则
take it away or plan from logs | 请删去，或用日志规划
take it away or correct it | 请删去，或改正
take the selection and each away | 请去掉选择和 each
take it away | 请删去
put it in quotes or take it away | 请加引号，或删去
keep one, or write roi as a roi_floor | 请保留一个，或把 roi 写成 roi_floor
keep one | 请保留一条
widen the selection | 请放宽选择
widen it by about one offer | 请放宽约一个机会
lower it, or offer more | 请调低，或增加机会
lower it | 请调低
swap or change them | 请对调或更改
shorten it | 请缩短
rename it | 请改名
rename one | 请给其中一条改名
rename or drop one | 请改名或删去一个
remove or rename the other | 请删去或改名另一个
relax one of them | 请放宽其中一条
mend the file | 请修改文件
mend or leave out these rows | 请修改或略去这些行
leave grants out, or plan from logs or a console's report | 请略去 grants，或用日志、后台报表规划
leave these rows out | 请略去这些行
leave it to the plan | 请留给计划
leave out what cannot tell a buyer | 请略去与购买无关的列
flatten or drop it | 请拆开或删去
split it into plain columns | 请拆成普通的列
convert it | 请转换
correct or empty it | 请改正或留空
compare later | 请以后再比较
compare plans over the same segments | 请比较相同人群的计划
randomise more, or judge later | 请增加随机行，或以后再检验
allow more a category, or fewer products | 请放宽每个类目的件数，或减少商品
export it as CSV | 请导出为 CSV
export it again | 请重新导出
export them as well | 请一并导出
save it again, or export it as CSV | 请重新保存，或导出为 CSV
write it again or name it .csv | 请重新写出，或改名为 .csv
write this part again | 请重新写出这一部分
write it again | 请重新写出
move the others away | 请移走其他的
move them or choose another output directory | 请移走，或另选输出目录
or choose another output directory | 或另选输出目录
choose another output directory | 请另选输出目录
free space or choose another place | 请腾出空间，或另选位置
free space or choose another output directory | 请腾出空间，或另选输出目录
free space, check permissions or choose another place | 请腾出空间、检查权限，或另选位置
check the path and permissions | 请检查路径和权限
install {n} | 请安装 {}
a Java 17+ runtime is needed | 需要 Java 17 以上的运行环境
no session at {n} ({}) | 在 {} 无法建立会话（{}）
pyspark is not installed | 没有安装 pyspark
the planner's page needs streamlit, which is not installed | 规划页面需要 streamlit，而它没有安装
or packages told apart in a column {n} | 或用列 {} 区分的不同套餐
a limit counts it | 有限制要计算它
campaigns found: {r} | 现有计划：{}
columns found: {r} | 现有列：{}
dates {n} to {n} | 日期 {} 至 {}
exposed {} to {} | 曝光时间 {} 至 {}
exposed {r} | 曝光时间 {}
found: {r} | 现有：{}
found {r} | 现有 {}
it has {n}: score that placement, or take the option away | 现有 {}；请给这个投放位置打分，或删去这个方案
it has {r} | 现有 {}
first {n} | 第一个 {}
not uploaded | 没有上传
give all files of the plan's directory together | 请一起上传计划目录里的全部文件
"""
