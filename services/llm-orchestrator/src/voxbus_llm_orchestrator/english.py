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

HARDLY_LAST: Final = _words(
    "get gets getting got let lets put make makes making keep keeps bring send give gives gave giving say says take "
    "took taking came comes coming told tell tells thank seem seems seemed looks looked according supposed including "
    "even only very quite rather every entire during never always can't won't didn't brought nearly especially "
    "although"
)
"""Words that close fewer than one in sixty of the sentences they stand in, besides the little words above."""

SELDOM_LAST: Final = _words(
    "just any new into still most need many last first next look pretty probably find kind couple sort big small "
    "little large old long short good high low feel felt may few went try trying each used use using see saw think "
    "thought hear heard buy bought found want wanted wants other both same own also actually really basically usually "
    "currently recently maybe perhaps someone somebody nobody least set full whole turn know known call pay ask hold "
    "hope become made stay certain given likely middle single double triple amount played add adds change cancel book "
    "visit enter consider personal private current previous different important main real exact huge twenty thirty "
    "forty fifty sixty seventy eighty ninety hundred thousand hardly not two three four credit customer medium iced "
    "extra totally mostly spend spent start starting stop open close press leave report received sounds began include "
    "moved dial access"
)
"""Words that close fewer than one in twenty of the sentences they stand in: verbs that want an object, and what stands
before a noun. After an article such a verb is a noun, and may well be the last."""

OFTEN_LAST: Final = _words(
    "please thanks me you him them us it here there again too today tomorrow tonight yesterday now then later soon "
    "yet ago instead anyway though anymore either myself yourself himself themselves together back away out off up "
    "down everything something anything nothing everyone anyone one ones else sir ma'am morning afternoon evening "
    "night day days week weeks month months year years minutes o'clock am pm right okay yes life home job house "
    "country problem problems issue issues children others moment mine true wrong system season number office town "
    "area list street order account phone email address name time way thing things people place world money food "
    "hello bye"
)
"""Words that sentences like to end with."""

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

SUBORDINATORS: Final = _words("if when because while unless although since to for after before once until")
"""A text that begins with one wants a second clause."""

QUESTION_WORDS: Final = _words("what where when why who whom whose which how what's where's when's who's how's")
INVERSIONS: Final = _words(
    "is are was were do does did can could will would shall should may might have has am isn't aren't don't doesn't "
    "didn't can't couldn't won't wouldn't haven't hasn't"
)
"""At the start of a text: a yes-no question."""

VERBS: Final = frozenset(
    {
        *AUXILIARIES,
        *_words(
            "get got let put make makes keep bring send give gave say said take took tell told seem looks used use"
        ),
        *_words(
            "see saw think thought hear heard buy found want wanted wants need needs like pay ask hold hope become"
        ),
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

REQUESTS: Final = _words("please tell give say enter read spell provide dial type share need")
"""An assistant that says one of these asks for something, whether it raises its voice or not."""

NUMBER_LENGTHS: Final = {"zip": 5, "pin": 4, "card": 16, "routing": 9, "social": 9}
"""Digits of numbers whose length everybody knows; others are taken for a phone number."""

REFUSALS: Final = _words("don't can't won't haven't couldn't didn't forgot moment")
REFUSING_STARTS: Final = _words("no nope not what why what's sorry wait hold sure yes yeah okay one's i'd can could do")
"""In the answer to a question for a number, anywhere or at its start: something else than a number is being said."""

EMAIL_ENDS: Final = _words("com org net edu gov io uk de fr es it ca au us co info biz ai dev eu nl ch at")
STREET_ENDS: Final = _words(
    "street avenue road lane drive boulevard court place square terrace way highway parkway circle st ave rd blvd"
)
SPELLING_CUES: Final = _words("spelled spelt spell spelling letter letters initials")
