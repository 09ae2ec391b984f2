<?php

declare(strict_types=1);

namespace Shelf\Feed;

/** One episode of a show. */
final class Episode
{
    public const KINDS = ['full', 'trailer', 'bonus'];

    /** Feeds give titles with blanks at both ends. */
    private const BLANKS = " \t\n\r";

    public function __construct(
        public readonly string $title,
        public readonly int $seconds,
        public readonly ?string $guid = null,
    ) {}

    /** How long it is, for people. */
    public function length(): string
    {
        return \gmdate($this->seconds < 3600 ? 'i:s' : 'G:i:s', max(0, $this->seconds));
    }

    public static function of(string $title, int $seconds = 0): self
    {
        $title = trim($title, self::BLANKS);

        return new self($title, $seconds);
    }

    public function key(): string
    {
        return $this->guid ?? md5($this->title);
    }
}
