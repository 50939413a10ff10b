"""Every sentence that a merchant reads, once per language. In: `en` or `zh`. Out: `Words`, messages by name.

A message is an attribute of a class of its topic, with `{placeholders}` that its reader fills; the Chinese
class of a topic overrides every one of them. So a key is checked by the type checker, and a test compares the
two languages key by key and placeholder by placeholder. It must not import anything of the project but
`models.errors`, and must not know a plan.
"""

from targeting.words.catalogue import LANGUAGES, Words, words_in
from targeting.words.refusals import refused

__all__ = ["LANGUAGES", "Words", "refused", "words_in"]
