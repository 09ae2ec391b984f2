<?php

declare(strict_types=1);

use PHPUnit\Framework\TestCase;
use Shelf\Feed\Episode;

final class EpisodeTest extends TestCase
{
    public function testLength(): void
    {
        $episode = Episode::of('Bread', 754);
        self::assertSame('12:34', $episode->length());
    }

    #[Test]
    public function blanksAreCut(): void
    {
        $episode = Episode::of(" Bread\n", 7200);
        self::assertSame('Bread', $episode->title);
    }
}
