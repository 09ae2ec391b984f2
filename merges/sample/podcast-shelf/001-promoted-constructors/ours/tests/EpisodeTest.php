<?php

declare(strict_types=1);

use PHPUnit\Framework\TestCase;
use Shelf\Feed\Episode;

final class EpisodeTest extends TestCase
{
    public function testLengthBelowAnHour()
    {
        $episode = Episode::of('Bread', 754);
        self::assertSame('12:34', $episode->length());
    }

    public function testLengthAboveAnHour()
    {
        $episode = Episode::of(" Bread\n", 7200);
        self::assertSame('2:00:00', $episode->length());
        self::assertSame('Bread', $episode->title);
    }
}
