"""English words by what they tell about the end of a sentence. Small on purpose: common words of telephone calls."""

from typing import Final


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


FILLERS: Final = _words("um uh uhm umm erm er hmm hm mm mmm uhh ah eh well so like")
"""At the end of a text: the caller is thinking. `well`, `so` and `like` only there, never as a text of their own."""

HESITATIONS: Final = (
    "let me see",
    "let's see",
    "let me think",
    "let me check",
    "hold on",
    "hang on",
    "one second",
    "just a second",
    "one moment",
    "give me a second",
    "you know",
    "i mean",
    "how do i say",
    "what's it called",
)
"""Ends of a text after which the caller goes on."""

ARTICLES: Final = _words(
    "a an the my your his her its our their this these those some any every each no another other such both either "
    "neither whose which what's mister mr mrs ms miss doctor dr saint"
)
"""Something must follow: a noun. `this`, `these` and `those` may end a question."""

CONJUNCTIONS: Final = _words(
    "and or but because if when while although though unless until since whereas whether than nor plus except "
    "including cause cuz that who whom whose as also"
)

PREPOSITIONS: Final = _words(
    "of to for from with without at by in into onto on about between among against during through toward towards under "
    "over upon per via versus behind beside beyond within across along around near above below after before like"
)

STRANDABLE: Final = _words("of to for from with at by in on about after through over like")
"""May end a question ("where are you from") or a clause that began with what it belongs to ("what i'm looking for")."""

SUBJECTS: Final = _words(
    "i we he she they i'm i'd i'll i've we're we'd we'll we've you're you'd you'll you've he's she's it's it'd it'll "
    "they're they'd they'll they've that's there's here's who's what's where's let's there"
)

AUXILIARIES: Final = _words(
    "am is are was were be been being has have had having do does did will would can could shall should may might must "
    "don't doesn't didn't won't wouldn't can't cannot couldn't shouldn't isn't aren't wasn't weren't haven't hasn't "
    "gonna wanna gotta ought going trying about"
)

TRANSITIVES: Final = _words(
    "want wants wanted need needs needed like prefer take takes took give gives gave get gets got put puts make makes "
    "made say says said tell tells told ask asks bring send sent buy find found keep keeps let lets see saw saying "
    "seen called becomes became mean means said seem seems use uses used using making taking getting looking having "
    "wondering sounds received began include includes add adds change order cancel book visit enter hear leave report"
)
"""Verbs that want an object: seldom the last word, and then seldom without one before."""

LINKING: Final = _words(
    "very really quite too pretty rather just even only almost more most less much many few several all whole entire "
    "next last first second third same new old big small large little long short good great nice high low full whole "
    "thin real exact actual main current previous different important certain probably maybe perhaps actually "
    "basically usually currently recently still never always often exactly kind sort lot couple bunch pair cup one's "
    "north south east west saint customer credit phone account email medium dark light iced double triple single"
)
"""Adverbs and adjectives that usually stand before what they belong to."""

SHORT_ANSWERS: Final = frozenset(
    {
        *_words(
            "yes yeah yep yup no nope nah okay ok sure right correct exactly absolutely definitely thanks hello hi"
        ),
        *_words("bye goodbye please sorry pardon great perfect fine good alright true false maybe none nothing never"),
        *_words("cancel stop help operator agent representative both neither either today tomorrow tonight now"),
        *("thank you", "yes please", "no thanks", "no thank you", "of course", "that's right", "that's correct"),
        *("that's it", "that's all", "that is all", "that is correct", "i see", "i know", "i understand", "got it"),
        *("i don't know", "not really", "not yet", "i think so", "i guess so", "me too", "no problem", "you too"),
        *("sounds good", "go ahead", "yes i am", "yes i do", "no i don't", "no i'm not", "yes it is", "no it isn't"),
        *("all right", "very good", "good morning", "good afternoon", "good evening", "have a nice day", "never mind"),
    }
)
"""Whole texts, or ends of one, that are an answer or a farewell by themselves."""

FINAL_WORDS: Final = _words(
    "please thanks me you him them us it here there again too today tomorrow tonight yesterday now then later soon "
    "already yet ago instead anyway though anymore either myself yourself together forward back away out off up down "
    "everything something anything nothing everyone someone anyone everybody somebody anybody one ones else sir ma'am "
    "morning afternoon evening week month year o'clock am pm"
)
"""Words a sentence likes to end with."""

QUESTION_WORDS: Final = _words("what where when why who whom whose which how what's where's when's who's how's")
INVERSIONS: Final = _words(
    "is are was were do does did can could will would shall should may might have has am isn't aren't don't doesn't "
    "didn't can't couldn't won't wouldn't haven't hasn't"
)
"""At the start of a text: a yes-no question."""

VERBS: Final = frozenset(
    {
        *AUXILIARIES,
        *TRANSITIVES,
        *_words("go goes went come comes came know knows think thinks work works call calls calling live lives look"),
        *_words(
            "talk speak wait try help start stop pay turn play open close press check please sounds happen happened"
        ),
        *_words("ends exist exists begin dial hold sign log move moved lost broke broken paid ordered arrived stay"),
        *_words("i'm i'd i'll i've we're we'd we'll we've you're he's she's it's they're that's there's here's let's"),
        *_words("what's where's who's how's can't gonna wanna"),
    }
)
"""Enough to tell a clause from a mere name of something."""

NUMBER_NOUNS: Final = _words(
    "number numbers code pin zip postcode digits extension account card reference id order tracking phone telephone "
    "mobile cell routing confirmation social"
)
"""What is announced before digits: "my number is", "the confirmation code is"."""

NUMBER_LENGTHS: Final = {"zip": 5, "pin": 4, "card": 16, "routing": 9, "social": 9}
"""Digits of numbers whose length everybody knows; others are taken for a phone number."""

EMAIL_ENDS: Final = _words("com org net edu gov io uk de fr es it ca au us co info biz ai dev eu nl ch at")
STREET_ENDS: Final = _words(
    "street avenue road lane drive boulevard court place square terrace way highway parkway circle st ave rd blvd"
)
SPELLING_CUES: Final = _words("spelled spelt spell spelling letter letters initials")
