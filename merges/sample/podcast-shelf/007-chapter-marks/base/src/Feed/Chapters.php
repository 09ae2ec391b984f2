<?php

namespace Shelf\Feed;

/** Marks in an episode that the player can jump to. */
final class Chapters
{
    public function of(Item $item): array
    {
        $marks = json_decode(shell_exec("ffprobe -show_chapters -of json $item->file"));

        $chapters = [];
        foreach ($marks as $mark) {
            $chapters[] = Chapter::of($mark);
        }

        return $chapters;
    }

    /** Marks closer than this are shown as one. */
    private const CLOSE = 5;

    /** @param Chapter[] $chapters */
    public function first(array $chapters): ?Chapter
    {
        return $chapters[0] ?? null;
    }

    public function last(array $chapters): ?Chapter
    {
        return end($chapters) ?: null;
    }
}
