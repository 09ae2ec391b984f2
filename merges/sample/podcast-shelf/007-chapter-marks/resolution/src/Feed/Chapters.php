<?php

namespace Shelf\Feed;

/** Marks in an episode that the player can jump to. */
final class Chapters
{
    public function of(Item $item): array
    {
        $marks = $item->xml->xpath('psc:chapters/psc:chapter') ?: [];

        $chapters = [];
        foreach ($marks as $mark) {
            $chapters[] = Chapter::of($mark);
        }
        usort($chapters, fn ($one, $other) => $one->start <=> $other->start);
        $chapters = $this->withoutClose($chapters);

        return $chapters;
    }

    /** Marks closer than this are shown as one. */
    private const CLOSE = 5;

    /** @param list<Chapter> $chapters sorted by time */
    public function first(array $chapters): ?Chapter
    {
        return $chapters[0] ?? null;
    }

    public function last(array $chapters): ?Chapter
    {
        return $chapters === [] ? null : $chapters[array_key_last($chapters)];
    }
}
