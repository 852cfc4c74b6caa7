"""The text by which a model's quality is told, written for this project (Apache-2.0).

It never changes: perplexities of different texts do not compare. Another text gets another name.
"""

from __future__ import annotations

QUALITY_TEXT = """\
The harbour lay in fog until noon. On most mornings of that autumn the boats left before it
lifted, one after the other, each with a lamp at the bow, and the people on the quay counted the
lamps until the last one was gone. Nobody had ever told them to count. It had begun after the
storm of the year before, when three boats came back a day late and one did not come back at
all.

Anna kept the tally in a school notebook. She wrote the hour, the number of lamps, and the
direction of the wind, and in a second column, in the evening, the number that returned. When
the two numbers agreed she drew a short line beneath them and closed the book. When they did
not, she stayed on the quay, whatever the weather, and somebody would bring her tea.

In the third week of November the numbers differed by one. The wind had turned to the north-east
at four o'clock, and the sea in the mouth of the bay stood up in short grey walls. By seven it
was dark. The harbour master said that an engine had probably failed, that a crew could wait at
anchor behind the island, and that there was no reason to worry before morning. Then he put on
his own coat and went down to the quay, because he had learned to count as well.

A little after nine they saw the light. It was low on the water and moved too slowly, and it
took almost an hour to reach the wall. Two men were rowing; the third held the lamp. Their
engine had indeed failed, because a rope had caught in the screw, and they had cut it free with
a kitchen knife. Anna wrote down the hour and the number, drew her line, and went home.
"""
