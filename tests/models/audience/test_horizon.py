"""A horizon longer than the logs: silent where little hangs on it, told, widened, refused where absurd."""

from datetime import timedelta

import numpy as np
import pytest
from known_truth import make_logs

from models.audience.delay import fit_curve
from models.audience.horizon import horizon_sd, horizon_warnings, refuse_far_horizon
from models.contracts import gather
from models.errors import CampaignError
from models.events.event_log import read_events


@pytest.fixture(scope="module")
def log():
    logs = make_logs(users=3000, days=20)
    dataset = gather(users=logs.users, exposures=logs.exposures, orders=logs.orders)
    return read_events(dataset, as_of=logs.as_of)


def curve(horizon_days, *, oldest=28.0, fans=2000, seed=0):
    """Fans of up to 28 days who buy less and less often: at ages t with density 1 / (1 + t)."""
    rng = np.random.default_rng(seed)
    age = rng.uniform(0.0, oldest, fans)
    bought = np.expm1(rng.random(fans) * np.log1p(120.0))
    seen = bought <= age
    return fit_curve(
        event_age_days=bought[seen & (bought <= horizon_days)],
        amount=np.full((seen & (bought <= horizon_days)).sum(), 100.0),
        leave_age_days=np.minimum(age, horizon_days),
        horizon_days=horizon_days,
    )


def test_days_that_nobody_was_watched_for_are_told():
    [said] = horizon_warnings(curve(60.0))
    assert said.startswith("horizon_days: 60 days are promised, new fans were watched for 2")
    share = np.log(61 / 28.5) / np.log(61)
    assert curve(60.0).extrapolated == pytest.approx(share, abs=0.04), "the true share of what comes later"
    assert f"{curve(60.0).extrapolated:.0%} of a fan's GMV is extrapolated" in said


def test_a_horizon_that_was_seen_needs_no_word():
    assert horizon_warnings(curve(14.0)) == ()
    assert curve(14.0).extrapolated == 0.0
    assert horizon_warnings(curve(30.0)) == (), "two days more say next to nothing"


def test_few_fans_of_few_days_are_not_taken_for_all_that_will_come():
    few = fit_curve(
        event_age_days=np.array([1.0, 3.0, 4.0]),
        amount=np.ones(3),
        leave_age_days=np.linspace(3.0, 5.0, 6),
        horizon_days=30.0,
    )
    assert few.reached_days == 5.0
    assert few.extrapolated > 0.3


def test_what_was_not_watched_widens_even_where_nobody_bought_lately():
    early = fit_curve(
        event_age_days=np.array([0.1, 0.2]),
        amount=np.ones(2),
        leave_age_days=np.linspace(0.0, 28.0, 500),
        horizon_days=60.0,
    )
    assert early.extrapolated == 0.0
    assert horizon_sd(early) == pytest.approx(0.3 * (1 - early.reached_days / 60), rel=1e-9)
    steady = fit_curve(
        event_age_days=np.linspace(0.0, 28.0, 40),
        amount=np.ones(40),
        leave_age_days=np.full(500, 28.0),
        horizon_days=60.0,
    )
    assert horizon_sd(steady) == pytest.approx(0.78 * steady.extrapolated)
    assert horizon_sd(steady) > horizon_sd(early)
    assert horizon_sd(curve(14.0)) == 0.0


def test_an_absurd_horizon_is_refused_with_the_one_that_would_do(log):
    refuse_far_horizon(log, horizon_days=30)
    refuse_far_horizon(log, horizon_days=120)
    with pytest.raises(CampaignError, match=r"horizon_days: 365 days, .* watched for 2\d: .* at most 12\d"):
        refuse_far_horizon(log, horizon_days=365)


def test_where_no_new_fan_bought_no_horizon_is_too_long(log):
    none = log.before(log.exposures["exposed_at"].min() + timedelta(days=2))
    without = type(log)(**{**vars(log), "orders": none.orders.head(0)})
    refuse_far_horizon(without, horizon_days=3650)
