"""What to sell to whom (选品). In: products, orders, segments. Out: ratings, a set for a room, g of a market.

It must not import anything that decides.
"""

from targeting.products.board import top_board
from targeting.products.ratings import rate_products
from targeting.products.room_set import choose_products, with_products

__all__ = ["choose_products", "rate_products", "top_board", "with_products"]
