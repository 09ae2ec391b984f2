<?php

declare(strict_types=1);

namespace Shelf\Feed;

/** One episode of a show. */
final class Episode
{
    public $title;
    public $seconds;

    /** Feeds give titles with blanks at both ends. */
    private const BLANKS = " \t\n\r";

    public function __construct($title, $seconds)
    {
        $this->title = trim($title);
        $this->seconds = $seconds;
    }

    /** How long it is, for people. */
    public function length(): string
    {
        return gmdate('i:s', $this->seconds);
    }

    public static function of($title, $seconds = 0)
    {
        $title = trim($title, self::BLANKS);

        return new self($title, $seconds);
    }
}
