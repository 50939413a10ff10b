"""The campaign brief: what the planner wants (`brief`), under which limits (`constraints`).

`messages` turns a mistake in it into one line.
"""

from targeting.campaign.brief import (
    Campaign,
    Economics,
    Merchant,
    SlotPlan,
    campaign_schema,
    parse_campaign,
)

__all__ = ["Campaign", "Economics", "Merchant", "SlotPlan", "campaign_schema", "parse_campaign"]
