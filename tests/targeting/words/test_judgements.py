"""What `evaluate` and `backtest` say, in Chinese: lines as they were printed, with names that are Chinese."""

import re

import pytest

from targeting.words import words_in

SAID = """
spend_cny: promised 190, realised 2,206
new_fans: promised 9 (80 %: 5 to 15), realised 199 (+- 14 by chance)
new_fan_gmv_cny: promised 596 (80 %: 0 to 2,588), realised 10,099, projected to the horizon 11,549 (+- 4,504 by chance)
roi: promised 3.14 (80 %: 0.00 to 13.62), realised unknown
the difference of +10,952 yuan comes from: spend +11,549, price +0, hazard -596, value -1,200
ROI by attribution window: T0 1.72, T1 1.89 (96 % over), T3 3.63 (89 % over), T30 4.58 (0 % over)
new fans still following: day 1 90 % of 1,200, day 7 unknown (no snapshot of a new fan between 1 and 7 days after the follow)
drift of curves: act, 10 of 10 moved (精准, 直播间: +525 % against the curve)
drift of features: watch, 1 of 12 moved (城市: over 4.5: 14.3 % then, 79.8 % now)
drift of scores: stable, 0 of 6 moved
the coin's verdict on the plan: 0.01 new_fans a person and day (80 %: 0 to 0.02), from 9 rows with any: a hint at most
the coin's verdict on the plan: 1.2 new_fan_gmv_cny a person and day (80 %: 0.9 to 1.5)
the coin chose for 1,509 person-days of 824 people
11,474 of 11,474 exposures of 双十一 are not of the plan's days (2020-11-11 00:00 to 2020-11-12 00:00) but of 2020-10-14 00:00 to 2020-11-10 23:56; they are judged as its own
199 of 199 new fans are younger than 30 days: 87 % of the projected GMV is observed, the rest is projected from older fans
1,260 exposures (307 yuan) went to people outside the plan
the report has no 支付金额: that part of the promise is not judged
about 15 (+- 21) of the 199 new fans would have followed anyway (rate of 667 held-out person-days)
from 2020-10-24, new_fans: promised 104 (81 to 133), realised 273 (80 %: 125 to 422; 7 events): cannot be told from 7 events
all windows, spend_cny: promised 1,520, realised 1,163 (80 %: 1,111 to 1,215; 282 events): at the prices of the logged pressure
follows of randomised shown rows: 7 came where 4 were predicted, ratio 1.76 (95 %: 0.71 to 3.62); 0 of 1 groups are off by more than chance; calibration error 0.0107, by chance alone 0.0056
1 window from 2020-10-24 to 2020-11-01; purchases count 9 days after the follow
the plans claimed: observational
"""  # noqa: E501


@pytest.mark.parametrize("line", SAID.strip().split("\n"))
def test_no_english_is_left(line):
    told = words_in("zh").told(line)
    assert not re.findall(r"[A-Za-z]{2,}", told.replace("ROI", "")), told
    assert {*re.findall(r"\d[\d.,]*\d|\d", line)} <= {*re.findall(r"\d[\d.,]*\d|\d", told), "80", "95"}


def test_what_is_said_of_the_difference():
    told = words_in("zh").told(
        "the difference of +10,952 yuan comes from: spend +11,549, price +0, hazard -596"
    )
    assert told == "差额 +10,952 元来自：花费 +11,549，单价 +0，涨粉率 -596"
