import jewellery_shop
import numpy as np

from targeting.allocation.outcomes import outcomes
from targeting.plan.curve_table import curve_table
from targeting.plan.plan_settings import SETTINGS
from targeting.plan.promise import promise


def test_totals_are_those_of_the_true_curves_and_intervals_those_of_the_draws():
    market = jewellery_shop.market()
    spend = np.linspace(100.0, 3000.0, len(market))
    said = promise(market=market, spend_cny=spend, kept_share=0.4)
    gmv = outcomes(market, spend)["gmv"].sum()
    drawn = [outcomes(market, spend, draw=d)["gmv"].sum() for d in range(60)]
    assert said.new_fan_gmv_cny.value == gmv
    np.testing.assert_allclose(
        (said.new_fan_gmv_cny.low, said.new_fan_gmv_cny.high), np.quantile(drawn, [0.1, 0.9]), rtol=1e-12
    )
    assert said.new_fan_gmv_cny.low < gmv < said.new_fan_gmv_cny.high
    np.testing.assert_allclose(said.profit_cny.value, 0.4 * gmv - spend.sum())
    np.testing.assert_allclose(said.profit_cny.low, 0.4 * said.new_fan_gmv_cny.low - spend.sum())
    np.testing.assert_allclose(said.cells["new_fan_gmv_cny"].sum(), gmv)


def test_a_total_is_surer_than_the_sum_of_its_cells_bounds():
    market = jewellery_shop.market()
    said = promise(market=market, spend_cny=np.full(len(market), 1000.0), kept_share=None)
    width = said.new_fans.high - said.new_fans.low
    assert width < (said.cells["new_fans_high"] - said.cells["new_fans_low"]).sum()
    assert said.profit_cny is None


def test_what_the_curves_cannot_speak_of_is_null():
    market = jewellery_shop.market()
    said = promise(
        market=market,
        spend_cny=np.full(len(market), 1000.0),
        kept_share=0.4,
        unknown=("impressions", "new_fan_gmv_cny"),
    )
    assert said.new_fan_gmv_cny is None
    assert said.profit_cny is None
    assert said.new_fans is not None
    assert (
        said.cells["impressions"].null_count()
        == said.cells["new_fan_gmv_cny_high"].null_count()
        == len(market)
    )


def test_the_plan_lies_on_its_curves_and_extrapolation_is_marked():
    market = jewellery_shop.market()
    spend = np.linspace(0.0, 3000.0, len(market))
    table = curve_table(market=market, spend_cny=spend, budget_cny=20_000)
    assert table.height == SETTINGS.curve_points * len(market)
    assert table.filter(table["spend_cny"] == 0.0)["value"].to_list() == [0.0] * len(market)
    point = outcomes(market, spend)["gmv"]
    for i, (segment, placement) in enumerate(market.cells.select("segment", "placement").iter_rows()):
        cell = table.filter((table["segment"] == segment) & (table["placement"] == placement))
        grid, value = cell["spend_cny"].to_numpy(), cell["value"].to_numpy()
        assert (np.diff(value) >= 0).all()
        np.testing.assert_allclose(np.interp(spend[i], grid, value), point[i], rtol=0.02)
        beyond = grid > market.observed_max_cny[i] * 1.01 + 0.02
        assert not cell["observed"].to_numpy()[beyond].any()
        assert (cell["value_low"] <= cell["value_high"]).all()
