"""Small good tables to spoil."""

from datetime import datetime, timedelta

import polars as pl
import pytest

NOW = datetime(2020, 11, 1)


@pytest.fixture
def users():
    return pl.DataFrame(
        {
            "user_id": ["a", "b", "c"],
            "snapshot_at": NOW,
            "is_fan": [False, True, False],
            "age": [18, 30, None],
        }
    )


@pytest.fixture
def exposures():
    return pl.DataFrame(
        {
            "exposure_id": ["e1", "e2", "e3", "e4"],
            "user_id": ["a", "b", "c", "a"],
            "campaign_id": "k",
            "placement": ["video", "live", "none", "video"],
            "exposed_at": [NOW + timedelta(days=day) for day in range(4)],
            "impressions": [2, 1, 0, 3],
            "cost_cny": [0.1, 0.2, 0.0, 0.3],
            "entered_live": [None, True, None, None],
            "followed": [True, False, False, False],
            "followed_at": [NOW + timedelta(hours=3), None, None, None],
            "randomized": [True, False, True, False],
            "propensity": [0.5, None, 0.25, 1.0],
        }
    )


@pytest.fixture
def orders():
    return pl.DataFrame(
        {
            "order_id": ["o1", "o2"],
            "user_id": ["a", "c"],
            "ordered_at": [NOW, NOW + timedelta(days=2)],
            "gmv_cny": [100.0, 59.9],
            "refund_cny": [0.0, 59.9],
            "product_id": ["p", None],
        }
    )
